-- Calendly's bookings become sessions here. What Calendly says is merged first (any order, any repetition: canceled stays canceled, links are kept,
-- the newest word on a no-show counts), then the booking is settled: what it should be here is worked out from the merged rows alone, so that
-- the same rows give the same session whichever delivery came first.

-- The people that a booking is about: the coach, and the mentee with this verified address; nobody when it is not exactly one.
create or replace function private.calendly_mentee(email extensions.citext, coach uuid) returns uuid
language sql stable security definer set search_path = '' as $$
  select case when count(*) = 1 then min(u.id::text)::uuid end
  from public.user_account u join public.user_role r on r.user_id = u.id and r.role = 'MENTEE'
  where u.email operator(extensions.=) calendly_mentee.email and u.email_verified and u.deleted_at is null and u.status = 'ACTIVE' and u.id <> coach;
$$;

-- Merges what was observed of bookings, oldest first, and settles the last. `needs` instead, and no effect, when the last one replaces a booking
-- that nobody has told of yet and may still be asked for (`complete` false). `follow` are bookings to settle next, each by itself: locking the
-- people of several bookings at once would break the order of locks. The webhook's event is finished here unless something is to follow.
create or replace function public.apply_calendly_bookings(observed jsonb, complete boolean, event_id uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  main jsonb := observed -> -1;
  coach uuid := private.calendly_coach(array(select jsonb_array_elements_text(main -> 'host_uris')));
  earliest text := observed -> 0 ->> 'old_invitee_uri';
  follow text[];
begin
  perform private.require_service();
  if coach is null then
    perform private.finish_webhook_event(event_id);
    return private.answer(200, '{"outcome": "NO_COACH", "follow": []}');
  end if;
  if not complete and earliest is not null and not exists (select 1 from private.calendly_booking b where b.invitee_uri = earliest) then
    return private.answer(200, jsonb_build_object('needs', earliest, 'coach_id', coach, 'follow', '[]'::jsonb));
  end if;
  perform private.lock_people(coach, coalesce(private.calendly_mentee((main ->> 'email')::extensions.citext, coach), coach));
  insert into private.calendly_booking as b (invitee_uri, event_uri, coach_id, event_type_uri, email, name, timezone, starts_at, ends_at, canceled,
    rescheduled, old_invitee_uri, new_invitee_uri, canceler_type, cancellation_reason, canceled_at, no_show_at, no_show_seen_at, booked_at,
    event_changed_at, created_at, updated_at)
  select o.invitee_uri, o.event_uri, coach, o.event_type_uri, o.email::extensions.citext, o.name, o.timezone, o.starts_at, o.ends_at, o.canceled,
    o.rescheduled, o.old_invitee_uri, o.new_invitee_uri, o.canceler_type, left(o.cancellation_reason, 2000), o.canceled_at, o.no_show_at, o.observed_at,
    o.booked_at, o.event_changed_at, private.now(), private.now()
  from jsonb_to_recordset(observed) as o (invitee_uri text, event_uri text, event_type_uri text, email text, name text, timezone text,
    starts_at timestamptz, ends_at timestamptz, canceled boolean, rescheduled boolean, old_invitee_uri text, new_invitee_uri text,
    canceler_type text, cancellation_reason text, canceled_at timestamptz, no_show_at timestamptz, observed_at timestamptz,
    booked_at timestamptz, event_changed_at timestamptz)
  on conflict on constraint calendly_booking_pkey do update set
    canceled = b.canceled or excluded.canceled,
    rescheduled = b.rescheduled or excluded.rescheduled,
    old_invitee_uri = coalesce(b.old_invitee_uri, excluded.old_invitee_uri),
    new_invitee_uri = coalesce(b.new_invitee_uri, excluded.new_invitee_uri),
    canceler_type = coalesce(b.canceler_type, excluded.canceler_type),
    cancellation_reason = coalesce(b.cancellation_reason, excluded.cancellation_reason),
    canceled_at = coalesce(b.canceled_at, excluded.canceled_at),
    no_show_at = case when excluded.no_show_seen_at >= b.no_show_seen_at then excluded.no_show_at else b.no_show_at end,
    no_show_seen_at = greatest(b.no_show_seen_at, excluded.no_show_seen_at),
    event_changed_at = greatest(b.event_changed_at, excluded.event_changed_at),
    updated_at = private.now()
  where b.coach_id = excluded.coach_id;
  follow := private.settle_calendly(main ->> 'invitee_uri');
  if follow = '{}' then
    perform private.finish_webhook_event(event_id);
  end if;
  return private.answer(200, jsonb_build_object('follow', to_jsonb(follow)));
end $$;

-- Settles one stored booking under the locks of its people.
create or replace function public.settle_calendly_booking(invitee_uri text, event_id uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  b private.calendly_booking;
  follow text[];
begin
  perform private.require_service();
  select * into b from private.calendly_booking k where k.invitee_uri = invitee_uri;
  perform private.lock_people(b.coach_id, coalesce(private.calendly_mentee(b.email, b.coach_id), b.coach_id));
  follow := private.settle_calendly(invitee_uri);
  perform private.finish_webhook_event(event_id);
  return private.answer(200, jsonb_build_object('follow', to_jsonb(follow)));
end $$;

-- What a booking comes to, under the locks of its people; which bookings may now come to something else.
create or replace function private.settle_calendly(wanted_uri text) returns text[]
language plpgsql volatile security definer set search_path = '' as $$
declare
  b private.calendly_booking;
  coach public.coach_profile;
  next_uri text;
  past public.session;
  earlier public.session;
  actor public.session_actor;
begin
  select * into b from private.calendly_booking k where k.invitee_uri = wanted_uri for update;
  select * into coach from public.coach_profile p where p.user_id = b.coach_id for no key update;
  select n.invitee_uri into next_uri from private.calendly_booking n where n.old_invitee_uri = b.invitee_uri;
  past := private.calendly_session_of(b);
  if next_uri is not null then
    -- It was moved: its session, if it has one, is the later booking's.
    perform private.conclude_calendly(b, 'MOVED', b.session_id);
    return case when exists (select 1 from private.calendly_booking n where n.invitee_uri = next_uri and n.outcome in ('NEW', 'CLASH'))
             or past.id is not null and not exists (select 1 from private.calendly_booking n where n.invitee_uri = next_uri and n.session_id = past.id)
           then array[next_uri] else '{}' end;
  elsif b.canceled and b.rescheduled then
    perform private.conclude_calendly(b, 'MOVING', b.session_id); -- its session waits for where it goes
    return '{}';
  elsif b.canceled then
    actor := case b.canceler_type when 'host' then 'COACH' when 'invitee' then 'MENTEE' else 'SYSTEM' end;
    if past.status in ('PENDING_PAYMENT', 'SCHEDULED') then
      perform private.because('Cancelled at Calendly');
      if private.session_refusal(past, 'cancel', actor, coalesce(b.canceled_at, private.now())) is null then
        perform private.move_session(past.id, 'CANCELLED', actor, case actor when 'COACH' then past.coach_id when 'MENTEE' then past.mentee_id end,
          b.cancellation_reason, at => coalesce(b.canceled_at, private.now()));
      end if;
    end if;
    perform private.conclude_calendly(b, 'CANCELLED', past.id);
    return private.calendly_waiting(b.coach_id);
  end if;

  if past.id is not null and b.session_id is null and past.status in ('PENDING_PAYMENT', 'SCHEDULED') then
    return private.move_calendly_session(b, past, coach);
  elsif b.session_id is null then
    return private.book_calendly_session(b, coach);
  end if;
  -- What was booked before anybody told that it had been moved here is taken back: one booking, one session.
  select (private.calendly_session_of(o)).* into earlier from private.calendly_booking o where o.invitee_uri = b.old_invitee_uri;
  if earlier.id <> b.session_id and earlier.status in ('PENDING_PAYMENT', 'SCHEDULED') and earlier.starts_at > private.now() then
    perform private.move_session(earlier.id, 'CANCELLED', 'SYSTEM', null, 'Moved at Calendly to another time');
  end if;
  if b.no_show_at is not null and past.status in ('SCHEDULED', 'IN_PROGRESS')
      and private.session_refusal(past, 'mentee_no_show', 'COACH', b.no_show_at) is null then
    perform private.because('Marked as a no-show at Calendly');
    perform private.move_session(past.id, 'NO_SHOW', 'COACH', past.coach_id, 'Marked as a no-show at Calendly', no_show_by => 'MENTEE', at => b.no_show_at);
  end if;
  return '{}';
end $$;

-- The session that a booking stands for: its own, else that of the booking it replaces, however many reschedules ago.
create or replace function private.calendly_session_of(b private.calendly_booking) returns public.session
language sql stable security definer set search_path = '' as $$
  with recursive chain as (
    select b.invitee_uri, b.old_invitee_uri, b.session_id, 0 as steps
    union all
    select o.invitee_uri, o.old_invitee_uri, o.session_id, c.steps + 1
    from chain c join private.calendly_booking o on o.invitee_uri = c.old_invitee_uri
    where c.session_id is null and c.steps < 100)
  select s from public.session s join chain c on c.session_id = s.id order by c.steps limit 1;
$$;

-- Bookings of a coach that found their time taken: a time has become free.
create or replace function private.calendly_waiting(coach uuid) returns text[]
language sql stable security definer set search_path = '' as $$
  select coalesce(array_agg(b.invitee_uri order by b.booked_at, b.invitee_uri), '{}') from private.calendly_booking b
  where b.coach_id = coach and b.outcome = 'CLASH' and not b.canceled and b.ends_at > private.now();
$$;

-- Whether a booking of this outcome keeps the coach busy without a session that would.
create or replace function private.calendly_blocks(outcome public.calendly_outcome) returns boolean
language sql immutable set search_path = '' as $$
  select outcome::text in ('GUEST', 'UNMAPPED', 'MISMATCH', 'CLASH');
$$;

-- Writes down what a booking came to. What blocks the coach's time without a session bumps his availability.
create or replace function private.conclude_calendly(
  b private.calendly_booking, outcome public.calendly_outcome, session_id uuid, detail text default null, flags text[] default '{}') returns void
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
begin
  if (b.outcome, b.session_id, b.detail) is not distinct from (outcome, session_id, detail) then
    return;
  end if;
  update private.calendly_booking k set outcome = outcome, session_id = session_id, detail = detail, flags = flags, updated_at = private.now()
  where k.invitee_uri = b.invitee_uri;
  if b.outcome is distinct from outcome then
    if private.calendly_blocks(b.outcome) or private.calendly_blocks(outcome) then
      perform private.bump_availability_of(b.coach_id);
    end if;
    if outcome in ('CLASH', 'MISMATCH', 'GUEST') or flags <> '{}' then
      perform private.emit(
        case outcome::text when 'CLASH' then 'CalendlyBookingClashed' when 'MISMATCH' then 'CalendlyBookingMismatched'
          when 'GUEST' then 'CalendlyGuestBooked' else 'CalendlyBookingFlagged' end,
        jsonb_build_object('coachId', b.coach_id, 'start', b.starts_at, 'end', b.ends_at, 'sessionId', session_id, 'detail', detail, 'flags', flags));
    end if;
  end if;
end $$;

create or replace function private.book_calendly_session(b private.calendly_booking, coach public.coach_profile) returns text[]
language plpgsql volatile security definer set search_path = '' as $$
declare
  kind private.calendly_event_type;
  hours public.availability_schedule;
  mentee public.user_account;
  minutes integer := extract(epoch from b.ends_at - b.starts_at) / 60;
  span tstzrange;
  flagged jsonb;
  flags text[] := '{}';
  made public.session;
begin
  select * into kind from private.calendly_event_type e where e.uri = b.event_type_uri and e.coach_id = b.coach_id;
  if not coalesce(kind.mapped, false) then
    perform private.conclude_calendly(b, 'UNMAPPED', null);
    return '{}';
  elsif minutes not between greatest(coach.minimum_duration, kind.minimum_duration, 15) and least(coach.maximum_duration, kind.maximum_duration, 240)
      or b.ends_at <> b.starts_at + make_interval(mins => minutes) then
    perform private.conclude_calendly(b, 'MISMATCH', null, 'duration');
    return '{}';
  end if;
  select * into mentee from public.user_account u where u.id = private.calendly_mentee(b.email, b.coach_id);
  if mentee.id is null then
    perform private.conclude_calendly(b, 'GUEST', null);
    return '{}';
  end if;
  select * into hours from public.availability_schedule a where a.coach_id = b.coach_id and a.is_default;
  hours.buffer_before := greatest(hours.buffer_before, kind.buffer_before, 0);
  hours.buffer_after := greatest(hours.buffer_after, kind.buffer_after, 0);
  span := tstzrange(b.starts_at - make_interval(mins => hours.buffer_before), b.ends_at + make_interval(mins => hours.buffer_after), '[)');
  if hours.id is not null then
    flagged := private.hours_refusal(hours, b.starts_at, minutes, b.booked_at);
    flags := array_remove(array[flagged #>> '{problem,reason}'], null);
  end if;
  if private.teaches_or_learns(b.coach_id, mentee.id, b.starts_at, b.ends_at, hours) then
    perform private.conclude_calendly(b, 'CLASH', null, 'person');
    return '{}';
  end if;
  begin
    -- What a mentee agreed to at Calendly has no price of ours (docs/adr/035).
    insert into public.session (
      coach_id, mentee_id, type, status, starts_at, ends_at, duration_minutes, buffer_before, buffer_after, blocked, coach_timezone, mentee_timezone,
      rate_amount, price_amount, fee_amount, fee_bps, currency, created_at, updated_at)
    select b.coach_id, mentee.id, kind.session_type, 'SCHEDULED', b.starts_at, b.ends_at, minutes, hours.buffer_before, hours.buffer_after, span,
      coalesce(hours.timezone, 'UTC'), mentee.timezone, coalesce(r.amount, 0), 0, 0, 0, coalesce(r.currency, 'USD'), private.now(), private.now()
    from (select (private.rate_in_force(b.coach_id, null, private.now())).*) r
    returning * into made;
  exception when exclusion_violation then
    perform private.conclude_calendly(b, 'CLASH', null, 'time');
    return '{}';
  end;
  insert into public.session_transition (session_id, to_status, actor, actor_id, reason, request_id, occurred_at, version)
  values (made.id, made.status, 'MENTEE', mentee.id, 'Booked at Calendly', private.request_id(), private.now(), made.version);
  perform private.emit_session(made, 'MENTEE', more => '{"source": "CALENDLY"}');
  perform private.conclude_calendly(b, 'BOOKED', made.id, null, flags);
  return case when b.no_show_at is not null then array[b.invitee_uri] else '{}' end;
end $$;

create or replace function private.move_calendly_session(b private.calendly_booking, before public.session, coach public.coach_profile) returns text[]
language plpgsql volatile security definer set search_path = '' as $$
declare
  moved public.session;
  minutes integer := extract(epoch from b.ends_at - b.starts_at) / 60;
begin
  if minutes not between greatest(coach.minimum_duration, 15) and least(coach.maximum_duration, 240)
      or b.ends_at <> b.starts_at + make_interval(mins => minutes) then
    perform private.conclude_calendly(b, 'MISMATCH', null, 'duration');
    return '{}';
  end if;
  begin
    update public.session s set
      starts_at = b.starts_at, ends_at = b.ends_at, duration_minutes = minutes,
      blocked = tstzrange(b.starts_at - make_interval(mins => s.buffer_before), b.ends_at + make_interval(mins => s.buffer_after), '[)'),
      rescheduled_count = s.rescheduled_count + 1, rescheduled_at = private.now()
    where s.id = before.id returning * into moved;
  exception when exclusion_violation then
    perform private.conclude_calendly(b, 'CLASH', null, 'time');
    return '{}';
  end;
  insert into public.session_transition (session_id, from_status, to_status, actor, actor_id, reason, request_id, occurred_at, version,
    from_starts_at, from_ends_at, to_starts_at, to_ends_at)
  values (moved.id, before.status, moved.status, 'SYSTEM', null, 'Moved at Calendly', private.request_id(), private.now(), moved.version,
    before.starts_at, before.ends_at, moved.starts_at, moved.ends_at);
  perform private.emit_session(moved, 'SYSTEM', 'SessionRescheduled',
    jsonb_build_object('previousStart', before.starts_at, 'previousEnd', before.ends_at, 'source', 'CALENDLY'));
  update private.calendly_booking k set outcome = 'MOVED', updated_at = private.now()
  where k.session_id = moved.id and k.invitee_uri <> b.invitee_uri and k.outcome <> 'MOVED';
  perform private.conclude_calendly(b, 'BOOKED', moved.id);
  return private.calendly_waiting(b.coach_id) || case when b.no_show_at is not null then array[b.invitee_uri] else '{}' end;
end $$;

-- Bookings to come that may come to something else now: a guest who has verified his address, a time that is free, an event type that is mapped.
create or replace function public.unsettled_calendly_bookings(coach_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_service();
  return (
    select coalesce(jsonb_agg(b.invitee_uri order by b.booked_at, b.invitee_uri), '[]') from private.calendly_booking b
    where b.coach_id = unsettled_calendly_bookings.coach_id and not b.canceled and b.ends_at > private.now() - interval '1 day'
      and (b.outcome in ('NEW', 'CLASH', 'MISMATCH') or (b.outcome = 'GUEST' and private.calendly_mentee(b.email, b.coach_id) is not null)
           or (b.outcome = 'UNMAPPED' and exists (select 1 from private.calendly_event_type e where e.uri = b.event_type_uri and e.mapped))));
end $$;
