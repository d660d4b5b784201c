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

-- Every change of a coach's schedules holds the coach's row: one at a time, and never beside a booking that was decided on the old ones.
create or replace function private.lock_own_profile(caller uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform 1 from public.coach_profile p where p.user_id = caller for update;
  if not found then
    perform private.refuse(409, 'profile_required', 'Make a coach profile first: POST /api/coach/profile.');
  end if;
end $$;

create or replace function public.create_schedule(input jsonb) returns jsonb
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
  perform private.lock_own_profile(caller);
  if (select count(*) from public.availability_schedule a where a.coach_id = caller) >= 50 then
    return private.refused(409, 'too_many_schedules', 'A coach can have 50 schedules. Delete one first.');
  end if;
  made := jsonb_populate_record(null::public.availability_schedule, input
    || jsonb_build_object('id', gen_random_uuid(), 'coach_id', caller, 'version', 1, 'created_at', private.now(), 'updated_at', private.now()));
  if made.is_default then
    update public.availability_schedule a set is_default = false where a.coach_id = caller and a.is_default;
  end if;
  insert into public.availability_schedule select made.*;
  return private.end_idempotent(private.answer(201, private.schedule_json(made)));
end $$;

create or replace function public.update_schedule(schedule_id uuid, patch jsonb, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('availability:manage');
  mine public.availability_schedule;
begin
  perform private.require_keys(patch, array['name', 'type', 'timezone', 'is_default', 'weekly', 'overrides', 'buffer_before', 'buffer_after',
    'slot_interval', 'minimum_notice', 'booking_window_days', 'max_sessions_per_day', 'minimum_duration', 'maximum_duration', 'valid_from', 'valid_to']);
  perform private.lock_own_profile(caller);
  select * into mine from public.availability_schedule a where a.id = schedule_id and a.coach_id = caller for update;
  if mine.id is null then
    perform private.refuse(404, 'not_found', 'There is no such schedule.');
  end if;
  perform private.require_version(mine.version, expected_version);
  if mine.is_default and patch -> 'is_default' = 'false' then
    perform private.refuse(409, 'default_required', 'Make another schedule the default instead.');
  end if;
  mine := jsonb_populate_record(mine, patch);
  if mine.is_default then
    update public.availability_schedule a set is_default = false where a.coach_id = caller and a.is_default and a.id <> mine.id;
  end if;
  update public.availability_schedule a set
    name = mine.name, type = mine.type, timezone = mine.timezone, is_default = mine.is_default, weekly = mine.weekly, overrides = mine.overrides,
    buffer_before = mine.buffer_before, buffer_after = mine.buffer_after, slot_interval = mine.slot_interval, minimum_notice = mine.minimum_notice,
    booking_window_days = mine.booking_window_days, max_sessions_per_day = mine.max_sessions_per_day,
    minimum_duration = mine.minimum_duration, maximum_duration = mine.maximum_duration, valid_from = mine.valid_from, valid_to = mine.valid_to
  where a.id = mine.id returning * into mine;
  return private.answer(200, private.schedule_json(mine));
end $$;

-- Sessions already booked stay as they are (facts of scheduling: an edit never moves or cancels them).
create or replace function public.delete_schedule(schedule_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('availability:manage');
  mine public.availability_schedule;
begin
  perform private.lock_own_profile(caller);
  select * into mine from public.availability_schedule a where a.id = schedule_id and a.coach_id = caller for update;
  if mine.id is null then
    perform private.refuse(404, 'not_found', 'There is no such schedule.');
  end if;
  if mine.is_default and exists (select 1 from public.availability_schedule a where a.coach_id = caller and a.id <> mine.id) then
    perform private.refuse(409, 'default_required', 'The default schedule cannot be deleted while there are others. Make another the default first.');
  end if;
  delete from public.availability_schedule a where a.id = mine.id;
  return private.answer(204, 'null');
end $$;
