create or replace function private.session_json(s public.session) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', s.id, 'coach_id', s.coach_id, 'mentee_id', s.mentee_id,
    'coach_name', private.display_name(s.coach_id), 'mentee_name', private.display_name(s.mentee_id),
    'status', s.status, 'start', s.starts_at, 'end', s.ends_at, 'duration_minutes', s.duration_minutes,
    'price', private.money(s.price_amount, s.currency), 'rate_at_booking', private.money(s.rate_amount, s.currency),
    'coach_timezone', s.coach_timezone, 'mentee_timezone', s.mentee_timezone, 'note', s.note, 'hold_expires_at', s.hold_expires_at,
    'cancelled_at', s.cancelled_at, 'cancelled_by', s.cancelled_by, 'cancellation_reason', s.cancellation_reason,
    'version', s.version, 'created_at', s.created_at);
$$;

-- The machine of DOMAIN D. A trigger holds every update to it, whoever writes.
create or replace function private.session_may_become(before public.session_status, after public.session_status) returns boolean
language sql immutable set search_path = '' as $$
  select case before::text
    when 'PENDING_PAYMENT' then after::text in ('SCHEDULED', 'EXPIRED', 'CANCELLED')
    when 'SCHEDULED' then after::text in ('IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'NO_SHOW')
    when 'IN_PROGRESS' then after::text in ('COMPLETED', 'NO_SHOW')
    else false end;
$$;

create or replace function private.hold_session_machine() returns trigger
language plpgsql set search_path = '' as $$
begin
  if not private.session_may_become(old.status, new.status) then
    perform private.refuse(409, 'invalid_transition', format('A session that is %s cannot become %s.', old.status, new.status));
  end if;
  return new;
end $$;

create or replace function private.emit_session(s public.session, actor public.session_actor) returns void
language sql volatile security definer set search_path = '' as $$
  select private.emit(
    case s.status::text
      when 'PENDING_PAYMENT' then 'SessionHeld' when 'SCHEDULED' then 'SessionScheduled' when 'IN_PROGRESS' then 'SessionStarted'
      when 'COMPLETED' then 'SessionCompleted' when 'CANCELLED' then 'SessionCancelled' when 'NO_SHOW' then 'SessionNoShow'
      else 'SessionExpired' end,
    jsonb_build_object('sessionId', s.id, 'coachId', s.coach_id, 'menteeId', s.mentee_id, 'start', s.starts_at, 'end', s.ends_at,
                       'version', s.version, 'actor', actor));
$$;

-- The one way a session's status changes: row, history and event together. The caller of this function has checked who may.
create or replace function private.move_session(
  session_id uuid, to_status public.session_status, actor public.session_actor, actor_id uuid, reason text) returns public.session
language plpgsql volatile security definer set search_path = '' as $$
declare
  before public.session_status;
  moved public.session;
begin
  select s.status into before from public.session s where s.id = session_id for update;
  update public.session s set
    status = to_status,
    cancelled_at = case when to_status = 'CANCELLED' then private.now() end,
    cancelled_by = case when to_status = 'CANCELLED' then actor end,
    cancellation_reason = case when to_status = 'CANCELLED' then reason end
  where s.id = session_id returning * into moved;
  insert into public.session_transition (session_id, from_status, to_status, actor, actor_id, reason, request_id, occurred_at)
  values (moved.id, before, to_status, actor, actor_id, reason, private.request_id(), private.now());
  perform private.emit_session(moved, actor);
  return moved;
end $$;

create or replace function public.get_session(session_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('session:read');
  wanted public.session;
begin
  select * into wanted from public.session s
  where s.id = session_id and (caller in (s.coach_id, s.mentee_id) or private.caller_is('ADMIN'));
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such session.');
  end if;
  return private.session_json(wanted);
end $$;

-- The caller's sessions as coach, as mentee or both, latest start first; keyset on (starts_at, id).
create or replace function public.list_sessions(
  as_role text default null, wanted_status text default null, from_at timestamptz default null, to_at timestamptz default null,
  before_start timestamptz default null, before_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('session:read');
begin
  return (
    select coalesce(jsonb_agg(private.session_json(page.mine) order by page.starts_at desc, page.id desc), '[]')
    from (
      select s as mine, s.starts_at, s.id from public.session s
      where ((s.coach_id = caller and as_role is distinct from 'MENTEE') or (s.mentee_id = caller and as_role is distinct from 'COACH'))
        and (wanted_status is null or s.status::text = wanted_status)
        and (from_at is null or s.starts_at >= from_at) and (to_at is null or s.starts_at < to_at)
        and (before_id is null or (s.starts_at, s.id) < (before_start, before_id))
      order by s.starts_at desc, s.id desc limit least(page_size, 101)) page);
end $$;

-- Mentee, coach or an ADMIN. A begun session is completed or missed, not cancelled; only an ADMIN may still cancel it.
create or replace function public.cancel_session(session_id uuid, reason text default null, expected_version integer default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('session:cancel');
  answer jsonb := private.begin_idempotent();
  wanted public.session;
  actor public.session_actor;
begin
  if answer is not null then
    return answer;
  end if;
  select * into wanted from public.session s where s.id = session_id for update;
  actor := case when wanted.mentee_id = caller then 'MENTEE' when wanted.coach_id = caller then 'COACH'
                when wanted.id is not null and private.caller_is('ADMIN') then 'ADMIN' end;
  if actor is null then
    perform private.refuse(404, 'not_found', 'There is no such session.');
  end if;
  if expected_version is not null then
    perform private.require_version(wanted.version, expected_version);
  end if;
  if not private.session_may_become(wanted.status, 'CANCELLED') then
    return private.end_idempotent(private.refused(409, 'invalid_transition', format('A session that is %s cannot be cancelled.', wanted.status)));
  end if;
  if wanted.starts_at <= private.now() and actor <> 'ADMIN' then
    return private.end_idempotent(private.refused(409, 'session_started', 'The session has begun. It can no longer be cancelled.'));
  end if;
  perform private.because(reason);
  return private.end_idempotent(private.answer(200, private.session_json(private.move_session(wanted.id, 'CANCELLED', actor, caller, reason))));
end $$;
