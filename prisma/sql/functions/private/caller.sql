-- Who is asking, always from the token and the tables, never from an argument.
-- Null for anonymous callers, for the service role, and for those who are unknown, deleted or suspended.
create or replace function private.caller_id() returns uuid
language plpgsql stable security definer set search_path = '' as $$
begin
  return (
    select u.id from public.user_account u
    where u.clerk_id = (nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
      and u.deleted_at is null and u.status <> 'SUSPENDED');
end $$;

create or replace function private.caller_is(wanted public.role_name) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select 1 from public.user_role r where r.user_id = private.caller_id() and r.role = wanted);
$$;

-- Of others only an ADMIN is told: to everybody else they are not there. Null is nobody in particular.
create or replace function private.require_subject(target uuid) returns void
language plpgsql stable security definer set search_path = '' as $$
begin
  if target <> private.caller_id() and not private.caller_is('ADMIN') then
    perform private.refuse(404, 'not_found', 'There is no such user.');
  end if;
end $$;

create or replace function private.may(user_id uuid, wanted text) returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return exists (
    select 1 from public.user_role r join private.role_permission p on p.role = r.role
    where r.user_id = may.user_id and p.permission = wanted);
end $$;

create or replace function private.caller_may(wanted text) returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return private.may(private.caller_id(), wanted);
end $$;

-- The caller's id, or a refusal. The guard has asked this already when the API names a permission; a definer function asks again,
-- because PostgREST can be called without naming one.
create or replace function private.require_caller(permission text) returns uuid
language plpgsql stable security definer set search_path = '' as $$
declare
  id uuid := private.caller_id();
begin
  if id is null then
    perform private.refuse(401, 'unauthenticated', 'Sign in first.');
  end if;
  if not private.may(id, permission) then
    perform private.refuse(403, 'forbidden', format('This needs the permission %s.', permission));
  end if;
  return id;
end $$;

create or replace function private.require_service() returns void
language plpgsql stable set search_path = '' as $$
begin
  if private.request_role() <> 'service_role' then
    perform private.refuse(403, 'forbidden', 'Only the service may do this.');
  end if;
end $$;

create or replace function private.roles_of(user_id uuid) returns text[]
language plpgsql stable security definer set search_path = '' as $$
begin
  return (select coalesce(array_agg(r.role::text order by r.role), '{}') from public.user_role r where r.user_id = roles_of.user_id);
end $$;

create or replace function private.permissions_of(user_id uuid) returns text[]
language sql stable security definer set search_path = '' as $$
  select coalesce(array_agg(distinct p.permission order by p.permission), '{}')
  from public.user_role r join private.role_permission p on p.role = r.role
  join public.user_account u on u.id = r.user_id
  where r.user_id = permissions_of.user_id and u.status <> 'SUSPENDED';
$$;

-- What somebody with exactly these roles may do.
create or replace function private.permissions_of_roles(roles text[]) returns setof text
language sql stable security definer set search_path = '' as $$
  select distinct p.permission from private.role_permission p where p.role::text = any (roles);
$$;

create or replace function private.display_name(user_id uuid) returns text
language plpgsql stable security definer set search_path = '' as $$
begin
  return (select nullif(concat_ws(' ', u.first_name, u.last_name), '') from public.user_account u where u.id = display_name.user_id);
end $$;
