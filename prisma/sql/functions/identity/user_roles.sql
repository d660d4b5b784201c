create or replace function private.user_roles_json(u public.user_account) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('user_id', u.id, 'roles', private.roles_of(u.id), 'permissions', private.permissions_of(u.id), 'version', u.version);
$$;

-- Own roles, or anyone's for an ADMIN; a stranger's id is not subject.
create or replace function public.get_user_roles(target uuid default null) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('role:read');
  subject public.user_account;
begin
  if target is not null and target <> caller and not private.caller_is('ADMIN') then
    perform private.refuse(404, 'not_found', 'There is no such user.');
  end if;
  select * into subject from public.user_account u where u.id = coalesce(target, caller) and u.deleted_at is null;
  if subject.id is null then
    perform private.refuse(404, 'not_found', 'There is no such user.');
  end if;
  return private.user_roles_json(subject);
end $$;

-- Replaces a user's roles (DOMAIN A). One lock for all role changes: two ADMINs who remove each other are served one after the other,
-- and the second is no ADMIN any more.
create or replace function public.set_user_roles(target uuid, wanted text[], reason text, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid;
  subject public.user_account;
  before text[];
  after text[] := array(select distinct unnest(wanted)::public.role_name order by 1)::text[];
  blockers jsonb;
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('coachline.roles', 0));
  caller := private.require_caller('role:manage');
  select * into subject from public.user_account u where u.id = target and u.deleted_at is null for update;
  if subject.id is null then
    perform private.refuse(404, 'not_found', 'There is no such user.');
  end if;
  perform private.require_version(subject.version, expected_version);
  before := private.roles_of(target);

  if 'ADMIN' = any (before) and not 'ADMIN' = any (after) then
    if target = caller then
      perform private.refuse(409, 'own_admin_role', 'You cannot remove your own ADMIN role. Ask another ADMIN.');
    end if;
    if (select count(*) from public.user_role r join public.user_account u on u.id = r.user_id
        where r.role = 'ADMIN' and u.status = 'ACTIVE' and u.deleted_at is null) <= 1 then
      perform private.refuse(409, 'last_admin', 'The last ADMIN cannot be removed.');
    end if;
  end if;
  if 'COACH' = any (before) and not 'COACH' = any (after) then
    -- The lock that book_session takes too: no session can slip in between this look and the change.
    perform 1 from public.coach_profile p where p.user_id = target for update;
    select jsonb_agg(jsonb_build_object('sessionId', s.id, 'start', s.starts_at) order by s.starts_at) into blockers
    from public.session s
    where s.coach_id = target and s.status in ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS') and s.ends_at > private.now();
    if blockers is not null then
      perform private.refuse(409, 'role_in_use', 'This coach has future sessions. Reassign or cancel them first.',
        jsonb_build_object('blockers', blockers));
    end if;
  end if;

  perform private.because(reason);
  delete from public.user_role r where r.user_id = target and r.role::text <> all (after);
  insert into public.user_role (user_id, role, granted_at)
  select target, a::public.role_name, private.now() from unnest(after) a on conflict do nothing;
  if before <> after then
    update public.user_account u set updated_at = private.now() where u.id = target returning * into subject;
    perform private.emit('UserRolesChanged', jsonb_build_object(
      'userId', target, 'actorId', caller, 'before', before, 'after', after, 'reason', reason));
  end if;
  return private.answer(200, private.user_roles_json(subject));
end $$;
