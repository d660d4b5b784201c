create or replace function private.refund_json(s public.session) returns jsonb
language sql stable set search_path = '' as $$
  select case when s.refund_percent is not null
    then jsonb_build_object('percent', s.refund_percent, 'amount', private.money(s.refund_amount, s.currency)) end;
$$;

create or replace function private.session_json(s public.session) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', s.id, 'coach_id', s.coach_id, 'mentee_id', s.mentee_id,
    'coach_name', private.display_name(s.coach_id), 'mentee_name', private.display_name(s.mentee_id),
    'type', s.type, 'status', s.status, 'start', s.starts_at, 'end', s.ends_at, 'duration_minutes', s.duration_minutes,
    'price', private.money(s.price_amount, s.currency), 'rate_at_booking', private.money(s.rate_amount, s.currency),
    'coach_timezone', s.coach_timezone, 'mentee_timezone', s.mentee_timezone, 'note', s.note, 'hold_expires_at', s.hold_expires_at,
    'cancelled_at', s.cancelled_at, 'cancelled_by', s.cancelled_by, 'cancellation_reason', s.cancellation_reason,
    'rescheduled_count', s.rescheduled_count, 'rescheduled_at', s.rescheduled_at, 'completed_at', s.completed_at, 'no_show_by', s.no_show_by,
    'refund', private.refund_json(s), 'disputed', private.is_disputed(s.id), 'version', s.version, 'created_at', s.created_at, 'updated_at', s.updated_at);
$$;

-- The machine of DOMAIN D. A trigger holds every update to it, whoever writes.
create or replace function private.session_may_become(before public.session_status, after public.session_status) returns boolean
language sql immutable set search_path = '' as $$
  select case before::text
    when 'PENDING_PAYMENT' then after::text in ('SCHEDULED', 'EXPIRED', 'CANCELLED')
    when 'EXPIRED' then after::text in ('SCHEDULED')
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

-- What was agreed on stays: the rate, the fee's share and the currency always, the price unless the duration changes. And what has ended is not moved.
create or replace function private.hold_session_terms() returns trigger
language plpgsql set search_path = '' as $$
begin
  if (new.rate_amount, new.fee_bps, new.currency) is distinct from (old.rate_amount, old.fee_bps, old.currency)
      or (new.duration_minutes = old.duration_minutes and (new.price_amount, new.fee_amount) is distinct from (old.price_amount, old.fee_amount)) then
    perform private.refuse(409, 'terms_fixed', 'The terms of a session are those of its booking.');
  end if;
  if (new.starts_at, new.ends_at) is distinct from (old.starts_at, old.ends_at) and old.status in ('COMPLETED', 'CANCELLED', 'NO_SHOW', 'EXPIRED') then
    perform private.refuse(409, 'invalid_transition', format('A session that is %s cannot be moved.', old.status));
  end if;
  return new;
end $$;

-- An event about a session: named after its status unless `type` says otherwise, with the members of `more` besides.
drop function if exists private.emit_session(public.session, public.session_actor);
create or replace function private.emit_session(s public.session, actor public.session_actor, type text default null, more jsonb default '{}')
returns void
language sql volatile security definer set search_path = '' as $$
  select private.emit(
    coalesce(type, case s.status::text
      when 'PENDING_PAYMENT' then 'SessionHeld' when 'SCHEDULED' then 'SessionScheduled' when 'IN_PROGRESS' then 'SessionStarted'
      when 'COMPLETED' then 'SessionCompleted' when 'CANCELLED' then 'SessionCancelled' when 'NO_SHOW' then 'SessionNoShow'
      else 'SessionExpired' end),
    jsonb_build_object('sessionId', s.id, 'coachId', s.coach_id, 'menteeId', s.mentee_id, 'start', s.starts_at, 'end', s.ends_at,
                       'price', private.money(s.price_amount, s.currency), 'version', s.version, 'actor', actor)
      || case when s.refund_percent is not null then jsonb_build_object('refund', private.refund_json(s)) else '{}' end
      || case when s.no_show_by is not null then jsonb_build_object('noShowBy', s.no_show_by) else '{}' end
      || more);
$$;

-- The one way a session's status changes: held to rules.sql; row, history and event together. The caller of this function has found out that
-- `actor` is who he says. `at` is the moment that counts: a job's own, else now. `percent` is an ADMIN's word against the refund policy.
drop function if exists private.move_session(uuid, public.session_status, public.session_actor, uuid, text);
create or replace function private.move_session(
  session_id uuid, to_status public.session_status, actor public.session_actor, actor_id uuid, reason text,
  no_show_by public.session_actor default null, at timestamptz default null, percent integer default null) returns public.session
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  before public.session;
  moved public.session;
  refusal jsonb;
  given integer;
  action text := case to_status::text
    when 'SCHEDULED' then 'confirm' when 'EXPIRED' then 'expire' when 'CANCELLED' then 'cancel' when 'IN_PROGRESS' then 'start'
    when 'COMPLETED' then 'complete' when 'NO_SHOW' then lower(no_show_by::text) || '_no_show' end;
begin
  at := coalesce(at, private.now());
  select * into before from public.session s where s.id = session_id for update;
  refusal := private.session_refusal(before, action, actor, at);
  if refusal is not null then
    perform private.refuse((refusal ->> 'status')::integer, refusal #>> '{problem,code}', refusal #>> '{problem,detail}');
  end if;
  given := case to_status::text
    when 'CANCELLED' then coalesce(percent, private.refund_percent(actor, before.status, before.starts_at, at))
    when 'NO_SHOW' then case when no_show_by = 'COACH' then 100 else 0 end end;
  update public.session s set
    status = to_status,
    cancelled_at = case when to_status = 'CANCELLED' then at end,
    cancelled_by = case when to_status = 'CANCELLED' then actor end,
    cancellation_reason = case when to_status = 'CANCELLED' then reason end,
    completed_at = case when to_status = 'COMPLETED' then at end,
    no_show_by = case when to_status = 'NO_SHOW' then no_show_by end,
    refund_percent = given,
    refund_amount = private.half_up(s.price_amount::bigint * given, 100, private.step_of(s.currency))
  where s.id = session_id returning * into moved;
  insert into public.session_transition (session_id, from_status, to_status, actor, actor_id, reason, request_id, occurred_at, version)
  values (moved.id, before.status, to_status, actor, actor_id, reason, private.request_id(), at, moved.version);
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
