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
  perform private.require_subject(target);
  select * into subject from public.user_account u where u.id = coalesce(target, caller) and u.deleted_at is null;
  if subject.id is null then
    perform private.refuse(404, 'not_found', 'There is no such user.');
  end if;
  return private.user_roles_json(subject);
end $$;

-- One lock for every change of roles or status: two ADMINs who remove each other are served one after the other, and the second is no
-- ADMIN any more. Taken before anything is read.
create or replace function private.lock_roles() returns void
language sql volatile set search_path = '' as $$
  select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('coachline.roles', 0));
$$;

create or replace function private.other_admin_exists(than uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select 1 from public.user_role r join public.user_account u on u.id = r.user_id
                 where r.role = 'ADMIN' and u.status = 'ACTIVE' and u.deleted_at is null and u.id <> than);
$$;

-- The one way roles change after sign-up: rows, version and event together; the log is written by trigger (triggers/role_change.sql).
-- Takes the roles' lock for granted, and that the caller of this function has checked who may.
create or replace function private.change_roles(target uuid, wanted text[], reason text, role_request uuid default null)
returns public.user_account
language plpgsql volatile security definer set search_path = '' as $$
declare
  subject public.user_account;
  before text[] := private.roles_of(target);
  after text[] := array(select distinct unnest(wanted)::public.role_name order by 1)::text[];
begin
  perform private.because(reason);
  perform pg_catalog.set_config('coachline.role_request', coalesce(role_request::text, ''), true);
  delete from public.user_role r where r.user_id = target and r.role::text <> all (after);
  insert into public.user_role (user_id, role, granted_at)
  select target, a::public.role_name, private.now() from unnest(after) a on conflict do nothing;
  if before <> after then
    update public.user_account u set updated_at = private.now() where u.id = target;
    perform private.emit('UserRolesChanged', jsonb_build_object(
      'userId', target, 'actorId', private.caller_id(), 'before', before, 'after', after, 'reason', reason,
      'roleRequestId', role_request));
  end if;
  select * into subject from public.user_account u where u.id = target;
  return subject;
end $$;

-- Why a user cannot have exactly these roles: code, detail and, of a coach with sessions ahead, `blockers`. Null when he can.
-- With `cancelling` only sessions that have begun are in the way: the others can be cancelled.
create or replace function private.roles_problem(caller uuid, target uuid, wanted text[], cancelling boolean default false) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  taken text[] := array(select unnest(private.roles_of(target)) except select unnest(wanted));
  blockers jsonb;
begin
  if 'ADMIN' = any (taken) and target = caller then
    return jsonb_build_object('code', 'own_admin_role', 'detail', 'You cannot remove your own ADMIN role. Ask another ADMIN.');
  elsif 'ADMIN' = any (taken) and not private.other_admin_exists(target) then
    return jsonb_build_object('code', 'last_admin', 'detail', 'The last ADMIN cannot be removed.');
  elsif 'COACH' = any (taken) then
    select jsonb_agg(jsonb_build_object('sessionId', s.id, 'start', s.starts_at) order by s.starts_at) into blockers
    from public.session s
    where s.coach_id = target and s.ends_at > private.now()
      and (s.status = 'IN_PROGRESS' or (not cancelling and s.status in ('PENDING_PAYMENT', 'SCHEDULED')));
    if blockers is not null then
      return jsonb_build_object('code', 'role_in_use', 'blockers', blockers, 'detail', case
        when cancelling then 'This coach is in a session. Wait until it has ended.'
        else 'This coach has sessions ahead. Cancel them, or send cancelSessions.' end);
    end if;
  end if;
  return null;
end $$;

drop function if exists public.set_user_roles(uuid, text[], text, integer);

-- Replaces a user's roles (DOMAIN A). With `cancel_sessions` the sessions ahead of somebody who is no COACH any more are cancelled in the same
-- transaction, so that none is booked in between (ADR 014).
create or replace function public.set_user_roles(target uuid, wanted text[], reason text, expected_version integer, cancel_sessions boolean default false)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid;
  subject public.user_account;
  problem jsonb;
  ahead uuid;
begin
  perform private.lock_roles();
  caller := private.require_caller('role:manage');
  -- The lock that book_session takes too: no session can slip in between the look at what is ahead and the change.
  select * into subject from public.user_account u where u.id = target and u.deleted_at is null for update;
  if subject.id is null then
    perform private.refuse(404, 'not_found', 'There is no such user.');
  end if;
  perform private.require_version(subject.version, expected_version);
  problem := private.roles_problem(caller, target, wanted, cancel_sessions);
  if problem is not null then
    perform private.refuse(409, problem ->> 'code', problem ->> 'detail', problem - array['code', 'detail']);
  end if;

  if cancel_sessions and not 'COACH' = any (wanted) then
    perform private.because(reason);
    for ahead in
      select s.id from public.session s
      where s.coach_id = target and s.status in ('PENDING_PAYMENT', 'SCHEDULED') and s.ends_at > private.now() order by s.id for update
    loop
      -- As the ADMIN, whoever he is besides in the session: the platform takes it away, and gives everything back.
      perform private.move_session(ahead, 'CANCELLED', 'ADMIN', caller, reason);
    end loop;
  end if;
  subject := private.change_roles(target, wanted, reason);
  return private.answer(200, private.user_roles_json(subject));
end $$;

-- What giving some roles and taking others would do to each of these users, in the order of the list, and what is in the way. Nothing changes.
create or replace function public.preview_user_roles(targets uuid[], given text[], taken text[], cancel_sessions boolean default false) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('role:manage');
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'user_id', t.id, 'user_name', private.display_name(u.id), 'version', u.version, 'before', r.before, 'after', r.after,
      'gained', array(select private.permissions_of_roles(r.after) except select private.permissions_of_roles(r.before) order by 1),
      'lost', array(select private.permissions_of_roles(r.before) except select private.permissions_of_roles(r.after) order by 1),
      'problem', '{"blockers": []}' || case when u.id is null then jsonb_build_object('code', 'not_found', 'detail', 'There is no such user.')
                                            else private.roles_problem(caller, u.id, r.after, cancel_sessions) end) order by t.place), '[]')
    from unnest(targets) with ordinality t (id, place)
    left join public.user_account u on u.id = t.id and u.deleted_at is null
    cross join lateral (select private.roles_of(u.id) as before) b
    cross join lateral (
      select b.before, case when u.id is null then '{}' else array(
        select e.role::text from unnest(enum_range(null::public.role_name)) e (role)
        where e.role::text = any (given) or (e.role::text = any (b.before) and e.role::text <> all (taken)) order by e.role) end as after) r);
end $$;

-- What Clerk should know of a user now; null for one who is gone.
create or replace function public.get_clerk_roles(target uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_service();
  return (select jsonb_build_object('clerk_id', u.clerk_id, 'roles', private.roles_of(u.id))
          from public.user_account u where u.id = target and u.deleted_at is null);
end $$;

-- The first ADMIN of an installation (scripts/first_admin.py), by whoever owns the database; refuses when there is one already.
create or replace function private.make_first_admin(address text) returns uuid
language plpgsql volatile security definer set search_path = '' as $$
declare
  found uuid[];
begin
  perform private.lock_roles();
  if exists (select 1 from public.user_role r join public.user_account u on u.id = r.user_id
             where r.role = 'ADMIN' and u.status <> 'SUSPENDED' and u.deleted_at is null) then
    raise exception 'There is an ADMIN already. ADMINs make others ADMIN: PUT /api/user/role.';
  end if;
  found := array(select u.id from public.user_account u
                 -- As text: without a search path Postgres does not find citext's own =.
                 where lower(u.email::text) = lower(address) and u.email_verified and u.status = 'ACTIVE' and u.deleted_at is null);
  if cardinality(found) <> 1 then
    raise exception '% active users have the verified address %. Sign up first, and verify the address at Clerk.', cardinality(found), address;
  end if;
  perform private.change_roles(found[1], private.roles_of(found[1]) || 'ADMIN'::text, 'The first ADMIN');
  return found[1];
end $$;

-- Every change, newest first; keyset on id. A user sees his own, an ADMIN everyone's; a stranger's id is not subject.
create or replace function public.list_role_changes(
  target uuid default null, actor uuid default null, wanted_role text default null, from_at timestamptz default null,
  to_at timestamptz default null, before_id bigint default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('role:read');
  admin boolean := private.caller_is('ADMIN');
begin
  perform private.require_subject(target);
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'id', page.id, 'user_id', page.user_id, 'user_name', private.display_name(page.user_id),
      'actor_id', page.actor_id, 'actor_name', private.display_name(page.actor_id),
      'before', page.before, 'after', page.after, 'reason', page.reason, 'role_request_id', page.role_request_id,
      'request_id', page.request_id, 'occurred_at', page.occurred_at) order by page.id desc), '[]')
    from (
      select * from private.role_change c
      where (admin or c.user_id = caller)
        and (target is null or c.user_id = target) and (actor is null or c.actor_id = actor)
        -- Given or taken: in one of the two sets and not in the other.
        and (wanted_role is null or (wanted_role::public.role_name = any (c.before)) <> (wanted_role::public.role_name = any (c.after)))
        and (from_at is null or c.occurred_at >= from_at) and (to_at is null or c.occurred_at < to_at)
        and (before_id is null or c.id < before_id)
      order by c.id desc limit least(page_size, 101)) page);
end $$;
