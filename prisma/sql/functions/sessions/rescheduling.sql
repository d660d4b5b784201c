-- The price of a session at another length: what the coach asked for that length when it was booked, else the hourly rate of the booking
-- prorated, half-up to the currency's step (docs/adr/024). It depends on the booking and the length alone, so there and back is the price it was.
create or replace function private.price_at_booking(s public.session, duration integer) returns integer
language sql stable security definer set search_path = '' as $$
  select case when duration = s.duration_minutes then s.price_amount else coalesce(
    (private.rate_in_force(s.coach_id, duration, s.created_at)).amount, private.half_up(s.rate_amount::bigint * duration, 60, private.step_of(s.currency)))::integer end;
$$;

-- Why a session cannot be moved there whatever the coach's hours say; null when that is for the hours to decide.
create or replace function private.reschedule_refusal(
  s public.session, actor public.session_actor, coach public.coach_profile, start_at timestamptz, duration integer, moment timestamptz) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  refusal jsonb := private.session_refusal(s, 'reschedule', actor, moment);
begin
  return case
    when refusal is not null then refusal
    when start_at = s.starts_at and duration = s.duration_minutes then
      private.refused(409, 'no_change', 'The session is at that time and of that length already.')
    when actor = 'MENTEE' and s.mentee_reschedules >= 2 then
      private.refused(409, 'reschedule_limit', 'A mentee can move a session twice, and this one has been. Ask the coach to move it.')
    when actor = 'MENTEE' and not private.is_bookable(coach) then
      private.refused(409, 'coach_unavailable', 'This coach takes no bookings at present. Ask the coach to move the session.')
    when duration <> s.duration_minutes and not private.sells_duration(coach, duration) then private.outside_availability('duration')
    when private.price_at_booking(s, duration) <> s.price_amount and private.is_paid(s.id) then
      private.refused(409, 'price_paid', 'The session is paid, and would cost something else at this length. Cancel it and book the other length.')
    when start_at < moment then private.outside_availability('notice') end;
end $$;

-- What a reschedule is decided on, in one trip: as booking_context, without the session itself; or `replay`, or `refusal`.
create or replace function public.reschedule_context(
  session_id uuid, start_at timestamptz, duration integer default null, expected_version integer default null) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('session:reschedule');
  replay jsonb := private.idempotent_answer();
  moment timestamptz := private.now();
  s public.session;
  actor public.session_actor;
  coach public.coach_profile;
  refusal jsonb;
begin
  if replay is not null then
    return jsonb_build_object('replay', replay);
  end if;
  select * into s from public.session f where f.id = session_id;
  actor := private.actor_in(s, caller);
  if actor is null then
    perform private.refuse(404, 'not_found', 'There is no such session.');
  end if;
  perform private.require_version(s.version, expected_version);
  select * into coach from public.coach_profile p where p.user_id = s.coach_id;
  duration := coalesce(duration, s.duration_minutes);
  refusal := private.reschedule_refusal(s, actor, coach, start_at, duration, moment);
  if refusal is not null then
    return jsonb_build_object('refusal', refusal);
  end if;
  return private.diary(coach, start_at, start_at + interval '1 microsecond', moment, s.id)
    || jsonb_build_object('duration', duration, 'exempt', actor <> 'MENTEE');
end $$;

-- Moves what Python decided on, and trusts nothing of it, as book_session does and under the same locks. One row is updated, so the old time is
-- free in the same instant and may overlap the new one; the exclusion constraints compare with other rows only.
create or replace function public.reschedule_session(
  session_id uuid, start_at timestamptz, duration integer, schedule_id uuid, decided_on integer, reason text default null,
  expected_version integer default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('session:reschedule');
  answer jsonb := private.begin_idempotent();
  moment timestamptz := private.now();
  end_at timestamptz := start_at + make_interval(mins => duration);
  held record;
  before public.session;
  moved public.session;
  coach public.coach_profile;
  hours public.availability_schedule;
  price integer;
begin
  if answer is not null then
    return answer;
  end if;
  held := private.lock_session(session_id, caller);
  before := held.s;
  perform private.require_version(before.version, expected_version);
  select * into coach from public.coach_profile p where p.user_id = before.coach_id for no key update;
  answer := private.reschedule_refusal(before, held.actor, coach, start_at, duration, moment);
  if answer is not null then
    return private.end_idempotent(answer);
  end if;
  select * into hours from public.availability_schedule a where a.id = schedule_id and a.coach_id = before.coach_id;
  if hours.id is null or coach.availability_version <> decided_on then
    return private.refused(409, 'availability_changed', 'The coach has just changed their availability.');
  end if;
  answer := private.hours_refusal(hours, start_at, duration, moment, held.actor <> 'MENTEE', before.id);
  if answer is not null then
    return private.end_idempotent(answer);
  end if;
  if private.teaches_or_learns(before.coach_id, before.mentee_id, start_at, end_at, hours, before.id) then
    return private.end_idempotent(private.slot_unavailable());
  end if;

  price := private.price_at_booking(before, duration);
  perform private.because(reason);
  begin
    update public.session s set
      starts_at = start_at, ends_at = end_at, duration_minutes = duration,
      buffer_before = hours.buffer_before, buffer_after = hours.buffer_after,
      blocked = tstzrange(start_at - make_interval(mins => hours.buffer_before), end_at + make_interval(mins => hours.buffer_after), '[)'),
      coach_timezone = hours.timezone, price_amount = price, fee_amount = private.fee_of(price, s.fee_bps, s.currency),
      rescheduled_count = s.rescheduled_count + 1, rescheduled_at = moment,
      mentee_reschedules = s.mentee_reschedules + (held.actor = 'MENTEE')::integer
    where s.id = before.id returning * into moved;
  exception when exclusion_violation then
    return private.end_idempotent(private.slot_unavailable());
  end;
  insert into public.session_transition (session_id, from_status, to_status, actor, actor_id, reason, request_id, occurred_at, version,
    from_starts_at, from_ends_at, to_starts_at, to_ends_at)
  values (moved.id, before.status, moved.status, held.actor, caller, reason, private.request_id(), moment, moved.version,
    before.starts_at, before.ends_at, moved.starts_at, moved.ends_at);
  perform private.emit_session(moved, held.actor, 'SessionRescheduled', jsonb_build_object(
    'previousStart', before.starts_at, 'previousEnd', before.ends_at, 'previousPrice', private.money(before.price_amount, before.currency)));
  return private.end_idempotent(private.answer(200, private.session_json(moved)));
end $$;
