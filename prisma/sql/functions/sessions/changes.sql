-- Locks two people in the order of their ids, as every change of a session does before it locks the session (docs/adr/002), and lets go of
-- the holds of theirs that ran out.
create or replace function private.lock_people(one uuid, other uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  person uuid;
begin
  for person in select u.id from public.user_account u where u.id in (one, other) order by u.id for no key update loop
    perform private.expire_holds(person);
  end loop;
end $$;

-- As whom the caller stands to a session: its mentee, its coach, or else an ADMIN. Null for everyone else, and for no session.
create or replace function private.actor_in(s public.session, caller uuid) returns public.session_actor
language sql stable security definer set search_path = '' as $$
  select (case when s.mentee_id = caller then 'MENTEE' when s.coach_id = caller then 'COACH'
               when s.id is not null and private.caller_is('ADMIN') then 'ADMIN' end)::public.session_actor;
$$;

-- The session, locked together with its people; 404 to whom it is none of their business.
create or replace function private.lock_session(session_id uuid, caller uuid, out s public.session, out actor public.session_actor)
language plpgsql volatile security definer set search_path = '' as $$
begin
  select * into s from public.session f where f.id = session_id;
  actor := private.actor_in(s, caller);
  if actor is null then
    perform private.refuse(404, 'not_found', 'There is no such session.');
  end if;
  perform private.lock_people(s.coach_id, s.mentee_id);
  select * into s from public.session f where f.id = session_id for update;
end $$;

-- One change of status by a person: what the three routes below have in common. `percent` is for ADMINs alone.
create or replace function private.change_session(
  session_id uuid, caller uuid, action text, to_status public.session_status, reason text, expected_version integer,
  no_show_by public.session_actor default null, percent integer default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  answer jsonb := private.begin_idempotent();
  held record;
  refusal jsonb;
begin
  if answer is not null then
    return answer;
  end if;
  held := private.lock_session(session_id, caller);
  if expected_version is not null then
    perform private.require_version((held.s).version, expected_version);
  end if;
  if action = 'no_show' then
    no_show_by := coalesce(no_show_by, case held.actor when 'MENTEE' then 'COACH' when 'COACH' then 'MENTEE' end::public.session_actor);
    if no_show_by is null then
      return private.end_idempotent(private.refused(422, 'validation_failed', 'Say who was absent.',
        '{"errors": [{"pointer": "#/absent", "detail": "is needed from someone who is neither mentee nor coach of the session"}]}'));
    end if;
    action := lower(no_show_by::text) || '_no_show';
  end if;
  if percent is not null and held.actor <> 'ADMIN' then
    return private.end_idempotent(private.refused(403, 'forbidden', 'Only an ADMIN who is not part of the session decides what is refunded.'));
  end if;
  refusal := private.session_refusal(held.s, action, held.actor, private.now());
  if refusal is not null then
    return private.end_idempotent(refusal);
  end if;
  perform private.because(reason);
  return private.end_idempotent(private.answer(200, private.session_json(
    private.move_session(session_id, to_status, held.actor, caller, reason, no_show_by => no_show_by, percent => percent))));
end $$;

drop function if exists public.cancel_session(uuid, text, integer);
create or replace function public.cancel_session(
  session_id uuid, reason text default null, expected_version integer default null, refund_percent integer default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  return private.change_session(session_id, private.require_caller('session:cancel'), 'cancel', 'CANCELLED', reason, expected_version,
    percent => refund_percent);
end $$;

create or replace function public.complete_session(session_id uuid, reason text default null, expected_version integer default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  return private.change_session(session_id, private.require_caller('session:complete'), 'complete', 'COMPLETED', reason, expected_version);
end $$;

-- `absent` left out means the other side.
create or replace function public.report_no_show(
  session_id uuid, absent text default null, reason text default null, expected_version integer default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  return private.change_session(session_id, private.require_caller('session:report_no_show'), 'no_show', 'NO_SHOW', reason, expected_version,
    no_show_by => absent::public.session_actor);
end $$;
