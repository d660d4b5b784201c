-- The rate in force: of one duration (its own price as a whole), or by the hour.
create or replace function private.rate_in_force(coach_id uuid, duration integer, at timestamptz) returns public.coach_rate
language sql stable security definer set search_path = '' as $$
  select r from public.coach_rate r
  where r.coach_id = rate_in_force.coach_id and r.duration_minutes is not distinct from duration
    and r.valid_from <= at and (r.valid_to is null or r.valid_to > at);
$$;

-- The price of a session, half-up to the minor unit: the duration's own price where the coach has set one, else the hourly rate prorated.
-- Null when the coach has no rate.
create or replace function private.session_price(coach_id uuid, duration integer, at timestamptz) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  hourly public.coach_rate := private.rate_in_force(coach_id, null, at);
  own public.coach_rate := private.rate_in_force(coach_id, duration, at);
begin
  if hourly.id is null then
    return null;
  end if;
  return jsonb_build_object(
    'amount', coalesce(own.amount, (hourly.amount::bigint * duration * 2 + 60) / 120),
    'currency', hourly.currency, 'rate_amount', hourly.amount);
end $$;

create or replace function private.money(amount bigint, currency text) returns jsonb
language sql immutable set search_path = '' as $$
  select case when amount is not null then jsonb_build_object('amount', amount, 'currency', currency) end;
$$;

-- What anyone may see of a coach.
create or replace function private.coach_json(p public.coach_profile) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'coach_id', p.user_id, 'name', private.display_name(p.user_id), 'bio', p.bio, 'specialties', p.specialties,
    'years_coaching', p.years_coaching, 'certifications', p.certifications,
    'hourly_rate', private.money(r.amount, r.currency),
    'default_duration', p.default_duration, 'minimum_duration', p.minimum_duration, 'maximum_duration', p.maximum_duration,
    'allow_custom_duration', p.allow_custom_duration)
  from (select (private.rate_in_force(p.user_id, null, private.now())).*) r;
$$;

-- What its owner sees. Completeness: a fifth each for bio (50 characters), specialty, rate, certification or years, and a schedule.
create or replace function private.coach_profile_json(p public.coach_profile) returns jsonb
language sql stable security definer set search_path = '' as $$
  select private.coach_json(p) || jsonb_build_object(
    'status', p.status, 'version', p.version, 'created_at', p.created_at, 'updated_at', p.updated_at,
    'completeness',
      20 * ((length(trim(p.bio)) >= 50)::int + (cardinality(p.specialties) > 0)::int
            + ((private.rate_in_force(p.user_id, null, private.now())).id is not null)::int
            + (cardinality(p.certifications) > 0 or p.years_coaching is not null)::int
            + exists (select 1 from public.availability_schedule a where a.coach_id = p.user_id)::int));
$$;

create or replace function public.get_coach_profile() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  mine public.coach_profile;
begin
  select * into mine from public.coach_profile p where p.user_id = private.require_caller('coach_profile:read');
  if mine.user_id is null then
    perform private.refuse(404, 'not_found', 'You have no coach profile yet. POST /api/coach/profile makes one.');
  end if;
  return private.coach_profile_json(mine);
end $$;

-- A new hourly rate from now on, or none (JSON null); the one before keeps its period, because sessions were priced by it.
create or replace function private.set_hourly_rate(coach_id uuid, rate jsonb) returns void
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  moment timestamptz := private.now();
  current public.coach_rate := private.rate_in_force(set_hourly_rate.coach_id, null, moment);
begin
  if current.amount = (rate ->> 'amount')::integer and current.currency = rate ->> 'currency' then
    return;
  end if;
  if current.valid_from = moment then
    delete from public.coach_rate r where r.id = current.id;
  else
    update public.coach_rate r set valid_to = moment where r.id = current.id;
  end if;
  if rate <> 'null' then
    insert into public.coach_rate (coach_id, amount, currency, valid_from)
    values (set_hourly_rate.coach_id, (rate ->> 'amount')::integer, rate ->> 'currency', moment);
  end if;
end $$;

create or replace function private.check_durations(p public.coach_profile) returns void
language plpgsql stable set search_path = '' as $$
begin
  if not (p.minimum_duration <= p.default_duration and p.default_duration <= p.maximum_duration) then
    perform private.refuse(422, 'validation_failed', 'Durations must satisfy minimumDuration <= defaultDuration <= maximumDuration.',
      '{"errors": [{"pointer": "#/defaultDuration", "detail": "must lie between minimumDuration and maximumDuration"}]}');
  end if;
end $$;

create or replace function public.create_coach_profile(input jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('coach_profile:manage');
  answer jsonb := private.begin_idempotent();
  made public.coach_profile;
begin
  if answer is not null then
    return answer;
  end if;
  perform private.require_keys(input, array['bio', 'specialties', 'years_coaching', 'certifications', 'default_duration',
    'minimum_duration', 'maximum_duration', 'allow_custom_duration', 'hourly_rate']);
  made := jsonb_populate_record(null::public.coach_profile, input || jsonb_build_object('user_id', caller, 'status', 'DRAFT',
    'availability_version', 1, 'version', 1, 'created_at', private.now(), 'updated_at', private.now()));
  perform private.check_durations(made);
  insert into public.coach_profile select made.* on conflict do nothing;
  if not found then
    return private.end_idempotent(private.refused(409, 'profile_exists', 'You have a coach profile already. PATCH /api/coach/profile changes it.'));
  end if;
  if input -> 'hourly_rate' <> 'null' then
    perform private.set_hourly_rate(caller, input -> 'hourly_rate');
  end if;
  select * into made from public.coach_profile p where p.user_id = caller;
  return private.end_idempotent(private.answer(201, private.coach_profile_json(made)));
end $$;

create or replace function public.update_coach_profile(patch jsonb, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('coach_profile:manage');
  mine public.coach_profile;
  missing jsonb;
begin
  perform private.require_keys(patch, array['bio', 'specialties', 'years_coaching', 'certifications', 'default_duration',
    'minimum_duration', 'maximum_duration', 'allow_custom_duration', 'hourly_rate', 'status']);
  select * into mine from public.coach_profile p where p.user_id = caller for update;
  if mine.user_id is null then
    perform private.refuse(404, 'not_found', 'You have no coach profile yet. POST /api/coach/profile makes one.');
  end if;
  perform private.require_version(mine.version, expected_version);
  mine := jsonb_populate_record(mine, patch);
  perform private.check_durations(mine);
  if patch ? 'hourly_rate' then
    perform private.set_hourly_rate(caller, patch -> 'hourly_rate');
  end if;
  if mine.status = 'PUBLISHED' then
    select jsonb_agg(jsonb_build_object('pointer', m.pointer, 'detail', m.detail)) into missing from (values
      (length(trim(mine.bio)) >= 50, '#/bio', 'a published profile needs a bio of at least 50 characters'),
      (cardinality(mine.specialties) > 0, '#/specialties', 'a published profile needs a specialty'),
      ((private.rate_in_force(caller, null, private.now())).id is not null, '#/hourlyRate', 'a published profile needs a rate; 0 is free')
    ) m (there, pointer, detail) where not m.there;
    if missing is not null then
      perform private.refuse(422, 'profile_incomplete', 'The profile cannot be published yet.', jsonb_build_object('errors', missing));
    end if;
  end if;
  update public.coach_profile p set
    bio = mine.bio, specialties = mine.specialties, years_coaching = mine.years_coaching, certifications = mine.certifications,
    default_duration = mine.default_duration, minimum_duration = mine.minimum_duration, maximum_duration = mine.maximum_duration,
    allow_custom_duration = mine.allow_custom_duration, status = mine.status
  where p.user_id = caller returning * into mine;
  return private.answer(200, private.coach_profile_json(mine));
end $$;
