-- Which durations a coach sells: any step of five between his limits when he allows custom ones; otherwise his default, minimum and maximum,
-- and those he has set a price for.
create or replace function private.sells_duration(p public.coach_profile, duration integer) returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return duration between p.minimum_duration and p.maximum_duration and duration % 5 = 0
    and (p.allow_custom_duration or duration in (p.default_duration, p.minimum_duration, p.maximum_duration)
         or (private.rate_in_force(p.user_id, duration, private.now())).id is not null);
end $$;

-- All of a coach's that slots are computed from. Other people's sessions leave as bare intervals; `except_id` is the one that is to be moved,
-- whose own time is free to it.
create or replace function private.diary(coach public.coach_profile, from_at timestamptz, to_at timestamptz, moment timestamptz, except_id uuid default null)
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  return jsonb_build_object(
    'availability_version', coach.availability_version,
    'schedules', (select coalesce(jsonb_agg(to_jsonb(a) order by a.created_at, a.id), '[]')
                  from public.availability_schedule a where a.coach_id = coach.user_id),
    -- A slot in [from, to) reaches from its buffer before (at most 3 h) to its end and buffer after (at most 4 + 3 h).
    'blocked', (select coalesce(jsonb_agg(jsonb_build_array(lower(s.blocked), upper(s.blocked)) order by s.starts_at), '[]')
                from public.session s
                where s.coach_id = coach.user_id and s.blocked && tstzrange(from_at - interval '3 hours', to_at + interval '7 hours')
                  and s.id is distinct from except_id
                  and s.status in ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS')
                  and (s.status <> 'PENDING_PAYMENT' or s.hold_expires_at > moment)),
    'busy', private.busy_json(coach.user_id, from_at - interval '3 hours', to_at + interval '7 hours'),
    -- The daily cap counts whole local dates: a day and a half on either side covers every zone.
    'session_starts', (select coalesce(jsonb_agg(s.starts_at order by s.starts_at), '[]')
                from public.session s
                where s.coach_id = coach.user_id and s.starts_at >= from_at - interval '36 hours' and s.starts_at < to_at + interval '36 hours'
                  and s.id is distinct from except_id
                  and (s.status in ('SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'NO_SHOW') or (s.status = 'PENDING_PAYMENT' and s.hold_expires_at > moment))
                  and exists (select 1 from public.availability_schedule a where a.coach_id = coach.user_id and a.max_sessions_per_day is not null)));
end $$;

-- In one trip: listing and booking read the same. `duration` null asks for the coach's default. With an Idempotency-Key that was answered before,
-- `replay` is that answer.
create or replace function public.booking_context(coach_id uuid, from_at timestamptz, to_at timestamptz, duration integer default null) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('slot:read');
  replay jsonb := private.idempotent_answer();
  coach public.coach_profile;
  moment timestamptz := private.now();
  minutes integer;
begin
  if replay is not null then
    return jsonb_build_object('replay', replay);
  end if;
  select * into coach from public.coach_profile p where p.user_id = booking_context.coach_id;
  if coach.user_id is null or not private.is_bookable(coach) then
    perform private.refuse(404, 'not_found', 'There is no such coach.');
  end if;
  minutes := coalesce(duration, coach.default_duration);
  return private.diary(coach, from_at, to_at, moment) || jsonb_build_object(
    'duration', minutes,
    'duration_offered', private.sells_duration(coach, minutes),
    'price', private.session_price(coach.user_id, minutes, moment),
    'timezone', (select u.timezone from public.user_account u where u.id = caller));
end $$;

-- Holds that ran out stop blocking: now() cannot stand in an exclusion constraint's predicate, so they are moved before the insert.
create or replace function private.expire_holds(person uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  held uuid;
begin
  for held in select s.id from public.session s
    where person in (s.coach_id, s.mentee_id) and s.status = 'PENDING_PAYMENT' and s.hold_expires_at <= private.now() order by s.id for update
  loop
    perform private.move_session(held, 'EXPIRED', 'SYSTEM', null, 'The hold ran out.');
  end loop;
end $$;

-- What the hours ask of a session besides being open: its length, notice, window and cap. Null, or the refusal.
-- A coach who moves a session himself keeps to no notice and no window (`exempt`).
create or replace function private.hours_refusal(
  hours public.availability_schedule, start_at timestamptz, duration integer, moment timestamptz, exempt boolean default false, except_id uuid default null)
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  day date := (start_at at time zone hours.timezone)::date;
begin
  if duration < hours.minimum_duration or duration > hours.maximum_duration then
    return private.outside_availability('duration');
  elsif start_at < moment or (not exempt and start_at < moment + make_interval(mins => hours.minimum_notice)) then
    return private.outside_availability('notice');
  elsif not exempt and day > (moment at time zone hours.timezone)::date + hours.booking_window_days then
    return private.outside_availability('window');
  elsif hours.max_sessions_per_day <= (
      select count(*) from public.session s
      where s.coach_id = hours.coach_id and s.status in ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'NO_SHOW')
        and s.id is distinct from except_id
        and s.starts_at >= day::timestamp at time zone hours.timezone and s.starts_at < (day + 1)::timestamp at time zone hours.timezone) then
    return private.outside_availability('daily_cap');
  end if;
  return null;
end $$;

-- The two constraints hold each role of a person apart; this holds a person's coaching against his own lessons, under the locks of both.
create or replace function private.teaches_or_learns(
  coach_id uuid, mentee_id uuid, start_at timestamptz, end_at timestamptz, hours public.availability_schedule, except_id uuid default null) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (
    select 1 from public.session s
    where s.status in ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS') and s.id is distinct from teaches_or_learns.except_id
      and ((s.coach_id = teaches_or_learns.mentee_id and s.blocked && tstzrange(start_at, end_at))
        or (s.mentee_id = teaches_or_learns.coach_id and tstzrange(s.starts_at, s.ends_at)
            && tstzrange(start_at - make_interval(mins => hours.buffer_before), end_at + make_interval(mins => hours.buffer_after)))));
$$;

-- Books what Python decided on with open_slots, and trusts nothing of it: the coach's hours are those of `decided_on` (a newer version is
-- refused, 409 availability_changed, and decided again), everything else is checked here.
-- Locks: both people in the order of their ids, then the coach's profile. A person may be coach in one booking and mentee in another at
-- the same moment, so "coach, then mentee" would let two bookings wait for each other.
-- What is due is paid by the mentee's plan, by his credit, or by a payment for which the time is held; the answer's `payment` and `command` say how.
drop function if exists public.book_session(uuid, timestamptz, integer, uuid, integer, jsonb, text);
create or replace function public.book_session(
  coach_id uuid, start_at timestamptz, duration integer, schedule_id uuid, decided_on integer, expected_price jsonb default null,
  note text default null, payment_method_id uuid default null)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('session:book');
  answer jsonb := private.begin_idempotent();
  moment timestamptz := private.now();
  end_at timestamptz := start_at + make_interval(mins => duration);
  coach public.coach_profile;
  hours public.availability_schedule;
  price jsonb;
  bps integer := (private.setting('platform_fee_bps', '850') #>> '{}')::integer;
  collected boolean;
  due boolean;
  included uuid;
  on_account boolean;
  method private.payment_method;
  payment private.payment;
  made public.session;
begin
  if answer is not null then
    return answer;
  end if;
  answer := private.take_rate_limit('session_book');
  if answer is not null then
    return answer;
  end if;
  if coach_id = caller then
    return private.end_idempotent(private.refused(422, 'self_booking', 'You cannot book yourself.'));
  end if;

  perform private.lock_people(coach_id, caller);
  select * into coach from public.coach_profile p where p.user_id = coach_id for no key update;
  if coach.user_id is null or not private.is_bookable(coach) then
    perform private.refuse(404, 'not_found', 'There is no such coach.');
  end if;
  if coach.availability_version <> decided_on then
    return private.refused(409, 'availability_changed', 'The coach has just changed their availability.');
  end if;
  select * into hours from public.availability_schedule a where a.id = schedule_id and a.coach_id = coach.user_id;
  if hours.id is null then
    return private.refused(409, 'availability_changed', 'The coach has just changed their availability.');
  end if;

  answer := case when private.sells_duration(coach, duration) then private.hours_refusal(hours, start_at, duration, moment)
                 else private.outside_availability('duration') end;
  if answer is not null then
    return private.end_idempotent(answer);
  end if;
  price := private.session_price(coach.user_id, duration, moment);
  if expected_price is not null and ((expected_price ->> 'amount')::bigint <> (price ->> 'amount')::bigint
      or expected_price ->> 'currency' <> price ->> 'currency') then
    return private.end_idempotent(private.refused(409, 'price_changed', 'The price is not the expected one.',
      jsonb_build_object('price', private.money((price ->> 'amount')::bigint, price ->> 'currency'))));
  end if;
  if private.teaches_or_learns(coach.user_id, caller, start_at, end_at, hours) then
    return private.end_idempotent(private.slot_unavailable());
  end if;

  collected := (price ->> 'amount')::bigint > 0 and (private.setting('flag.session_payments', 'false') #>> '{}')::boolean;
  included := case when collected then private.including_subscription(caller, moment) end;
  on_account := (price ->> 'amount')::bigint > 0 and included is null and private.pays_by_invoice(caller);
  due := collected and not on_account;
  method := private.own_payment_method(caller, payment_method_id);
  answer := case when due then private.payment_refusal(coach.user_id, method, start_at) end;
  if answer is not null then
    return private.end_idempotent(answer);
  end if;
  if private.fee_waived(coach.user_id, caller) then
    bps := 0;
  end if;
  begin
    insert into public.session (
      coach_id, mentee_id, status, starts_at, ends_at, duration_minutes, buffer_before, buffer_after, blocked, coach_timezone, mentee_timezone,
      rate_amount, price_amount, fee_amount, fee_bps, currency, note, hold_expires_at, created_at, updated_at)
    values (
      coach.user_id, caller, (case when due then 'PENDING_PAYMENT' else 'SCHEDULED' end)::public.session_status, start_at, end_at, duration,
      hours.buffer_before, hours.buffer_after,
      tstzrange(start_at - make_interval(mins => hours.buffer_before), end_at + make_interval(mins => hours.buffer_after), '[)'),
      hours.timezone, (select u.timezone from public.user_account u where u.id = caller),
      (price ->> 'rate_amount')::integer, (price ->> 'amount')::integer, private.fee_of((price ->> 'amount')::bigint, bps, price ->> 'currency'), bps,
      price ->> 'currency', note, case when due then moment + interval '15 minutes' end, moment, moment)
    returning * into made;
  exception when exclusion_violation then
    return private.end_idempotent(private.slot_unavailable());
  end;
  if on_account then
    perform private.put_on_account(made);
  elsif due then
    payment := private.make_payment(made, included, method);
    if payment.status = 'COMPLETED' then
      update public.session s set status = 'SCHEDULED', hold_expires_at = null where s.id = made.id returning * into made;
    end if;
  end if;
  insert into public.session_transition (session_id, to_status, actor, actor_id, request_id, occurred_at, version)
  values (made.id, made.status, 'MENTEE', caller, private.request_id(), moment, made.version);
  perform private.emit_session(made, 'MENTEE');
  -- A repeated request gets no command: it asks how things are.
  answer := private.answer(201, private.session_json(made) || jsonb_build_object('payment', private.booked_payment_json(payment), 'command', null));
  perform private.end_idempotent(answer);
  return jsonb_set(answer, '{body,command}', coalesce(private.pay_for(payment, made), 'null'));
end $$;

create or replace function private.slot_unavailable() returns jsonb
language sql immutable set search_path = '' as $$
  select private.refused(409, 'slot_unavailable', 'This time was just taken. Load the slots again and choose another.');
$$;

create or replace function private.outside_availability(reason text) returns jsonb
language sql immutable set search_path = '' as $$
  select private.refused(422, 'outside_availability', 'The coach cannot be booked for this time.', jsonb_build_object('reason', reason));
$$;
