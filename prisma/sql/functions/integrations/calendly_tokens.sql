-- Refresh tokens work once and are replaced by using them (Calendly's rotation), so exactly one process may use one: it holds a lease, and the new
-- pair is committed before anybody uses it. A process that dies in between leaves a lease that runs out and a token that Calendly knows as used:
-- the next refresh is refused, and the coach is asked to connect again. Nothing is ever deleted because of a refusal.

-- The token of a coach: `valid` with the access token, `refresh` with the refresh token and the lease to use it, `wait` while another holds the
-- lease, `none`. `rejected` is the version that Calendly has just refused, whatever its time says.
create or replace function public.take_calendly_token(coach_id uuid, rejected integer default null, lease_seconds integer default 30) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  held private.calendly_token;
  status public.calendly_status;
begin
  perform private.require_service();
  select * into held from private.calendly_token t where t.coach_id = coach_id for update;
  select c.status into status from private.calendly_connection c where c.coach_id = coach_id;
  if held.coach_id is null or status is null or status = 'RECONNECT_REQUIRED' then
    return private.answer(200, '{"state": "none"}');
  end if;
  if held.expires_at > private.now() + interval '1 minute' and held.version is distinct from rejected then
    return private.answer(200, jsonb_build_object('state', 'valid', 'token', held.access_token, 'version', held.version));
  end if;
  if held.refreshing_until > pg_catalog.clock_timestamp() then
    return private.answer(200, '{"state": "wait"}');
  end if;
  update private.calendly_token t set refreshing_until = pg_catalog.clock_timestamp() + make_interval(secs => lease_seconds)
  where t.coach_id = coach_id;
  return private.answer(200, jsonb_build_object('state', 'refresh', 'token', held.refresh_token, 'version', held.version));
end $$;

-- The pair that a refresh gave, if `version` is still the one that was refreshed.
create or replace function public.renew_calendly_token(
  coach_id uuid, version integer, access_token text, refresh_token text, expires_in integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
begin
  perform private.require_service();
  update private.calendly_token t set
    access_token = access_token, refresh_token = refresh_token, expires_at = private.now() + make_interval(secs => expires_in),
    version = t.version + 1, refreshing_until = null
  where t.coach_id = coach_id and t.version = version;
  return private.answer(200, jsonb_build_object('version', version + 1, 'renewed', found));
end $$;

-- A refresh that failed: for now (the lease ends), or for good (the coach has to connect again).
create or replace function public.fail_calendly_refresh(coach_id uuid, version integer, refused boolean) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
begin
  perform private.require_service();
  update private.calendly_token t set refreshing_until = null where t.coach_id = coach_id and t.version = version;
  if found and refused then
    update private.calendly_connection c set status = 'RECONNECT_REQUIRED', updated_at = private.now()
    where c.coach_id = coach_id and c.status = 'CONNECTED';
    if found then
      perform private.emit('CalendlyReconnectRequired', jsonb_build_object('coachId', coach_id));
    end if;
  end if;
  return private.answer(200, '{}');
end $$;

-- After a disconnect: the tokens were given back. Those of a later connection stay.
create or replace function public.forget_calendly_token(coach_id uuid, generation integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
begin
  perform private.require_service();
  delete from private.calendly_token t using private.calendly_connection c
  where t.coach_id = coach_id and c.coach_id = coach_id and c.status = 'DISCONNECTED' and c.generation = generation;
  return private.answer(200, '{}');
end $$;

-- The account that a coach's calls are about; null when none is connected, or another than `generation`.
create or replace function public.calendly_account(coach_id uuid, generation integer default null) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_variable
begin
  perform private.require_service();
  return (select jsonb_build_object('coach_id', c.coach_id, 'user_uri', c.user_uri, 'organization_uri', c.organization_uri, 'status', c.status,
                                    'generation', c.generation)
          from private.calendly_connection c where c.coach_id = coach_id and (generation is null or c.generation = generation));
end $$;
