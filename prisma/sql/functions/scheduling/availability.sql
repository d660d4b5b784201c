create or replace function private.schedule_json(a public.availability_schedule) returns jsonb
language sql stable set search_path = '' as $$
  select to_jsonb(a);
$$;

-- Own schedules; an ADMIN may read another coach's.
create or replace function public.list_schedules(wanted_coach_id uuid default null, after_created_at timestamptz default null,
  after_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('availability:read');
begin
  if coalesce(wanted_coach_id, caller) <> caller and not private.caller_is('ADMIN') then
    perform private.refuse(404, 'not_found', 'There is no such coach.');
  end if;
  return (
    select coalesce(jsonb_agg(private.schedule_json(a) order by a.created_at, a.id), '[]')
    from (select * from public.availability_schedule a
          where a.coach_id = coalesce(wanted_coach_id, caller)
            and (after_id is null or (a.created_at, a.id) > (after_created_at, after_id))
          order by a.created_at, a.id limit least(page_size, 101)) a);
end $$;

create or replace function public.get_schedule(schedule_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('availability:read');
  wanted public.availability_schedule;
begin
  select * into wanted from public.availability_schedule a
  where a.id = schedule_id and (a.coach_id = caller or private.caller_is('ADMIN'));
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such schedule.');
  end if;
  return private.schedule_json(wanted);
end $$;

-- A schedule with all others of its coach, who together decide what it amounts to.
create or replace function public.list_schedules_beside(schedule_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('availability:read');
  owner uuid;
begin
  select a.coach_id into owner from public.availability_schedule a
  where a.id = schedule_id and (a.coach_id = caller or private.caller_is('ADMIN'));
  if owner is null then
    perform private.refuse(404, 'not_found', 'There is no such schedule.');
  end if;
  return (select jsonb_agg(private.schedule_json(a) order by a.created_at, a.id)
          from public.availability_schedule a where a.coach_id = owner);
end $$;

-- Every change of a coach's schedules holds the coach's row: one at a time, and never beside a booking that was decided on the old ones.
create or replace function private.lock_own_profile(caller uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform 1 from public.coach_profile p where p.user_id = caller for update;
  if not found then
    perform private.refuse(409, 'profile_required', 'Make a coach profile first: POST /api/coach/profile.');
  end if;
end $$;

-- Sessions to come that somebody counts on.
create or replace function private.upcoming_sessions(coach_id uuid) returns setof public.session
language sql stable security definer set search_path = '' as $$
  select s.* from public.session s
  where s.coach_id = upcoming_sessions.coach_id and s.starts_at > private.now()
    and (s.status = 'SCHEDULED' or (s.status = 'PENDING_PAYMENT' and s.hold_expires_at > private.now()));
$$;

-- What a decision about a coach's hours is made on: the schedules (by their version) and the sessions that they carry. Opaque to everyone else.
create or replace function private.calendar_state(coach_id uuid) returns text
language sql stable security definer set search_path = '' as $$
  select concat(p.availability_version, ':', (
      select pg_catalog.md5(string_agg(concat_ws(' ', s.id, extract(epoch from s.starts_at), s.duration_minutes), ',' order by s.id))
      from private.upcoming_sessions(p.user_id) s))
  from public.coach_profile p where p.user_id = calendar_state.coach_id;
$$;

-- All that a change of schedules, a preview or a search for conflicts is decided from, in one trip: of the coach who has the schedule (an
-- ADMIN may ask for another's), else of the caller. `busy` reaches as far ahead as asked for. `replay` as in booking_context.
create or replace function public.availability_context(schedule_id uuid default null, busy_days integer default 0) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('availability:read');
  replay jsonb := private.idempotent_answer();
  owner uuid := caller;
  coach public.coach_profile;
begin
  if replay is not null then
    return jsonb_build_object('replay', replay);
  end if;
  if schedule_id is not null then
    select a.coach_id into owner from public.availability_schedule a
    where a.id = schedule_id and (a.coach_id = caller or private.caller_is('ADMIN'));
    if owner is null then
      perform private.refuse(404, 'not_found', 'There is no such schedule.');
    end if;
  end if;
  select * into coach from public.coach_profile p where p.user_id = owner;
  return jsonb_build_object(
    'state', private.calendar_state(owner),
    'minimum_duration', coach.minimum_duration, 'maximum_duration', coach.maximum_duration,
    'schedules', (select coalesce(jsonb_agg(private.schedule_json(a) order by a.created_at, a.id), '[]')
                  from public.availability_schedule a where a.coach_id = owner),
    'sessions', (select coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'status', s.status, 'start', s.starts_at, 'end', s.ends_at,
                    'mentee_name', private.display_name(s.mentee_id)) order by s.starts_at), '[]')
                 from private.upcoming_sessions(owner) s),
    'busy', private.busy_json(owner, private.now(), private.now() + make_interval(days => busy_days)));
end $$;

-- Every change below takes the state of the calendar that it was decided on: whether it strands a session is Python's decision, and a booking
-- in between would make that a decision about another calendar. Null: decided whatever the calendar holds.
create or replace function private.require_calendar(caller uuid, decided_on text) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.lock_own_profile(caller);
  if private.calendar_state(caller) <> decided_on then
    perform private.refuse(409, 'availability_changed', 'Your schedules or sessions have just changed. Try again.');
  end if;
end $$;

-- The one place where a default gives way to another.
create or replace function private.clear_default(caller uuid, but uuid) returns void
language sql volatile security definer set search_path = '' as $$
  update public.availability_schedule a set is_default = false where a.coach_id = caller and a.is_default and a.id <> but;
$$;

-- `new_id` is the caller's, because among equals the highest id rules: what was decided on has to be what is stored.
drop function if exists public.create_schedule(jsonb);
create or replace function public.create_schedule(input jsonb, decided_on text default null, new_id uuid default gen_random_uuid()) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('availability:manage');
  answer jsonb := private.begin_idempotent();
  made public.availability_schedule;
begin
  if answer is not null then
    return answer;
  end if;
  perform private.require_keys(input, array['name', 'type', 'timezone', 'is_default', 'weekly', 'overrides', 'buffer_before', 'buffer_after',
    'slot_interval', 'minimum_notice', 'booking_window_days', 'max_sessions_per_day', 'minimum_duration', 'maximum_duration', 'valid_from', 'valid_to']);
  perform private.require_calendar(caller, decided_on);
  if (select count(*) from public.availability_schedule a where a.coach_id = caller) >= 100 then
    return private.refused(409, 'too_many_schedules', 'A coach can have 100 schedules. Delete one first.');
  end if;
  made := jsonb_populate_record(null::public.availability_schedule, input
    || jsonb_build_object('id', new_id, 'coach_id', caller, 'version', 1, 'created_at', private.now(), 'updated_at', private.now()));
  if made.is_default then
    perform private.clear_default(caller, made.id);
  end if;
  insert into public.availability_schedule select made.*;
  return private.end_idempotent(private.answer(201, private.schedule_json(made)));
end $$;

drop function if exists public.update_schedule(uuid, jsonb, integer);
create or replace function public.update_schedule(schedule_id uuid, patch jsonb, expected_version integer, decided_on text default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('availability:manage');
  mine public.availability_schedule;
begin
  perform private.require_keys(patch, array['name', 'type', 'timezone', 'is_default', 'weekly', 'overrides', 'buffer_before', 'buffer_after',
    'slot_interval', 'minimum_notice', 'booking_window_days', 'max_sessions_per_day', 'minimum_duration', 'maximum_duration', 'valid_from', 'valid_to']);
  perform private.lock_own_profile(caller);
  mine := private.own_schedule(caller, schedule_id);
  perform private.require_version(mine.version, expected_version);
  perform private.require_calendar(caller, decided_on);
  if mine.is_default and patch -> 'is_default' = 'false' then
    perform private.refuse(409, 'default_required', 'Make another schedule the default instead.');
  end if;
  mine := jsonb_populate_record(mine, patch);
  if mine.is_default then
    perform private.clear_default(caller, mine.id);
  end if;
  update public.availability_schedule a set
    name = mine.name, type = mine.type, timezone = mine.timezone, is_default = mine.is_default, weekly = mine.weekly, overrides = mine.overrides,
    buffer_before = mine.buffer_before, buffer_after = mine.buffer_after, slot_interval = mine.slot_interval, minimum_notice = mine.minimum_notice,
    booking_window_days = mine.booking_window_days, max_sessions_per_day = mine.max_sessions_per_day,
    minimum_duration = mine.minimum_duration, maximum_duration = mine.maximum_duration, valid_from = mine.valid_from, valid_to = mine.valid_to
  where a.id = mine.id returning * into mine;
  return private.answer(200, private.schedule_json(mine));
end $$;

-- Locks it, under the lock of its coach.
create or replace function private.own_schedule(caller uuid, schedule_id uuid) returns public.availability_schedule
language plpgsql volatile security definer set search_path = '' as $$
declare
  mine public.availability_schedule;
begin
  select * into mine from public.availability_schedule a where a.id = schedule_id and a.coach_id = caller for update;
  if mine.id is null then
    perform private.refuse(404, 'not_found', 'There is no such schedule.');
  end if;
  return mine;
end $$;

-- Sessions already booked stay as they are (facts of scheduling: an edit never moves or cancels them).
drop function if exists public.delete_schedule(uuid);
create or replace function public.delete_schedule(schedule_id uuid, decided_on text default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('availability:manage');
  mine public.availability_schedule;
begin
  perform private.require_calendar(caller, decided_on);
  mine := private.own_schedule(caller, schedule_id);
  if mine.is_default and exists (select 1 from public.availability_schedule a where a.coach_id = caller and a.id <> mine.id) then
    perform private.refuse(409, 'default_required', 'The default schedule cannot be deleted while there are others. Make another the default first.');
  end if;
  delete from public.availability_schedule a where a.id = mine.id;
  return private.answer(204, 'null');
end $$;

-- The old default and the new one change places in one statement's time; whoever comes second waits, and then has the last word.
create or replace function public.make_default_schedule(schedule_id uuid, decided_on text default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('availability:manage');
  answer jsonb := private.begin_idempotent();
  mine public.availability_schedule;
begin
  if answer is not null then
    return answer;
  end if;
  perform private.require_calendar(caller, decided_on);
  mine := private.own_schedule(caller, schedule_id);
  if mine.type <> 'DEFAULT' then
    return private.end_idempotent(private.refused(409, 'not_of_type_default',
      format('Only a schedule of type DEFAULT can be the default; this one is of type %s.', mine.type)));
  end if;
  if not mine.is_default then
    perform private.clear_default(caller, mine.id);
    update public.availability_schedule a set is_default = true where a.id = mine.id returning * into mine;
  end if;
  return private.end_idempotent(private.answer(200, private.schedule_json(mine)));
end $$;

-- One closing HOLIDAY for each entry {id, name, timezone, date}; a date that has one of its own gets no second.
create or replace function public.create_holiday_schedules(entries jsonb, decided_on text default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('availability:manage');
  answer jsonb := private.begin_idempotent();
  made jsonb;
begin
  if answer is not null then
    return answer;
  end if;
  perform private.require_calendar(caller, decided_on);
  with added as (
    insert into public.availability_schedule (id, coach_id, name, type, timezone, valid_from, valid_to, created_at, updated_at)
    select e.id, caller, e.name, 'HOLIDAY', e.timezone, e.date, e.date, private.now(), private.now()
    from jsonb_to_recordset(entries) e (id uuid, name text, timezone text, date date)
    where not exists (select 1 from public.availability_schedule a
                      where a.coach_id = caller and a.type = 'HOLIDAY' and a.valid_from = e.date and a.valid_to = e.date)
    returning *)
  select coalesce(jsonb_agg(to_jsonb(a) order by a.valid_from), '[]') into made from added a;
  if (select count(*) from public.availability_schedule a where a.coach_id = caller) > 100 then
    perform private.refuse(409, 'too_many_schedules', 'A coach can have 100 schedules. Delete some first, or leave holidays out.');
  end if;
  return private.end_idempotent(private.answer(201, made));
end $$;
