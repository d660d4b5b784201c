-- The user as GET /api/user shows him. Home precedence: ADMIN, then COACH, then MENTEE (DOMAIN A).
create or replace function private.user_json(u public.user_account) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', u.id, 'first_name', u.first_name, 'last_name', u.last_name, 'email', u.email, 'email_verified', u.email_verified,
    'timezone', u.timezone, 'locale', u.locale, 'status', u.status, 'version', u.version, 'created_at', u.created_at,
    'roles', private.roles_of(u.id), 'permissions', private.permissions_of(u.id),
    'home', case when 'ADMIN' = any (private.roles_of(u.id)) then '/admin'
                 when 'COACH' = any (private.roles_of(u.id)) then '/coach' else '/mentee' end);
$$;

-- Makes the caller's row when the first request comes before Clerk's webhook; whichever is second finds it and does nothing.
create or replace function public.ensure_user() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller text := nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub';
  made uuid;
begin
  if caller is null then
    perform private.refuse(401, 'unauthenticated', 'Sign in first.');
  end if;
  insert into public.user_account as u (clerk_id, created_at, updated_at) values (caller, private.now(), private.now())
  on conflict (clerk_id) do nothing returning u.id into made;
  if made is not null then
    insert into public.user_role (user_id, role, granted_at) values (made, 'MENTEE', private.now());
    perform private.emit('UserCreated', jsonb_build_object('userId', made));
  end if;
  return private.answer(200, '{}');
end $$;

create or replace function public.get_me() returns jsonb
language sql stable security definer set search_path = '' as $$
  select private.user_json(u) from public.user_account u where u.id = private.require_caller('user:read');
$$;

create or replace function public.update_me(patch jsonb, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  me public.user_account;
begin
  perform private.require_keys(patch, array['first_name', 'last_name', 'timezone', 'locale']);
  select * into me from public.user_account u where u.id = private.require_caller('user:update') for update;
  perform private.require_version(me.version, expected_version);
  me := jsonb_populate_record(me, patch);
  update public.user_account u
  set first_name = me.first_name, last_name = me.last_name, timezone = me.timezone, locale = me.locale
  where u.id = me.id returning * into me;
  return private.answer(200, private.user_json(me));
end $$;
