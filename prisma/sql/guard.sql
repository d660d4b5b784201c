-- The first wall. PostgREST calls private.guard() before every request, whoever sends it: our API, or anyone signed in who talks to
-- PostgREST directly with a session token and the publishable key. It lets through
--   the service role, signed in by its key and carrying no user;
--   anonymous and signed-in callers who come through our API (they carry the gate's key, of which only the hash is stored here),
--   and, when signed in: with a session token of our issuer for one of our origins, fully signed in, known, neither deleted nor
--   suspended, with the permission that the API names for this call; and, under maintenance, only to read.
-- It answers with the caller's id and roles, so that the API needs no trip of its own to learn them.
-- Row-level security (policies/) is the second wall and asks none of these questions of this one.
create or replace function private.guard() returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  claims jsonb := coalesce(nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb, '{}');
  role text := coalesce(claims ->> 'role', 'anon');
  reading boolean := pg_catalog.current_setting('transaction_read_only')::boolean; -- as PostgREST sets it for a STABLE function
  provisioning boolean := pg_catalog.current_setting('request.path', true) = '/rpc/ensure_user';
  permission text := private.request_header('x-coachline-permission');
  origins jsonb := private.setting('clerk_authorized_parties', '[]');
  caller public.user_account;
  maintenance jsonb;
begin
  if role = 'service_role' then
    -- Any JWT signed by a trusted key passes PostgREST, so a user's token could claim this role.
    if claims ? 'sub' or not claims ? 'exp' or coalesce(claims ->> 'iss', '') <> 'supabase' then
      perform private.refuse(401, 'unauthenticated', 'This token may not act as the service.');
    end if;
    return;
  end if;

  if encode(pg_catalog.sha256(convert_to(coalesce(private.request_header('x-coachline-gate'), ''), 'utf8')), 'hex')
     is distinct from (private.setting('gate_key_hash') #>> '{}') then
    perform private.refuse(403, 'gate_closed', 'Data is served by the API only.');
  end if;

  if role = 'authenticated' then
    if not claims ? 'exp' or not claims ? 'sub' or not private.setting('clerk_issuers', '[]') ? coalesce(claims ->> 'iss', '') then
      perform private.refuse(401, 'unauthenticated', 'This token was not issued for this service.');
    end if;
    if not origins ? coalesce(claims ->> 'azp', '') then
      perform private.refuse(401, 'unauthenticated', 'This token was issued for another origin.');
    end if;
    if claims ->> 'sts' = 'pending' then
      perform private.refuse(401, 'unauthenticated', 'Sign-in is not finished.');
    end if;
    select * into caller from public.user_account u where u.clerk_id = claims ->> 'sub';
    if caller.deleted_at is not null then
      perform private.refuse(403, 'user_deleted', 'This account was deleted.');
    elsif caller.status = 'SUSPENDED' then
      perform private.refuse(403, 'user_suspended', 'This account is suspended.');
    elsif caller.id is null and not provisioning then
      perform private.refuse(403, 'user_unknown', 'This user is not known yet.');
    elsif caller.id is not null and permission is not null and not private.may(caller.id, permission) then
      perform private.refuse(403, 'forbidden', format('This needs the permission %s.', permission));
    end if;
    if caller.id is not null then
      perform private.respond_with(jsonb_build_array(
        jsonb_build_object('x-coachline-user', caller.id),
        jsonb_build_object('x-coachline-roles', array_to_string(private.roles_of(caller.id), ','))));
    end if;
  elsif role <> 'anon' then
    perform private.refuse(401, 'unauthenticated', 'This token names a role that does not exist here.');
  end if;

  if not reading then
    maintenance := private.setting('maintenance');
    if (maintenance ->> 'enabled')::boolean then
      perform private.refuse(503, 'maintenance', coalesce(maintenance ->> 'message', 'Changes are paused for maintenance. Try again later.'),
        jsonb_build_object('retryAfter', coalesce((maintenance ->> 'retryAfter')::integer, 120)));
    end if;
  end if;
end $$;

revoke all on function private.guard() from public, anon, authenticated, service_role;
grant execute on function private.guard() to anon, authenticated, service_role;
alter role authenticator set pgrst.db_pre_request = 'private.guard';
