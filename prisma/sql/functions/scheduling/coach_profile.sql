-- The rate in force: of one duration (its own price as a whole), or by the hour.
create or replace function private.rate_in_force(coach_id uuid, duration integer, at timestamptz) returns public.coach_rate
language plpgsql stable security definer set search_path = '' as $$
begin
  return (
    select r from public.coach_rate r
    where r.coach_id = rate_in_force.coach_id and r.duration_minutes is not distinct from duration
      and r.valid_from <= at and (r.valid_to is null or r.valid_to > at));
end $$;

-- The price of a session, half-up to the currency's step: the duration's own price where the coach has set one, else the hourly rate prorated.
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
    'amount', coalesce(own.amount, private.half_up(hourly.amount::bigint * duration, 60, private.step_of(hourly.currency))),
    'currency', hourly.currency, 'rate_amount', hourly.amount);
end $$;

create or replace function private.money(amount bigint, currency text) returns jsonb
language sql immutable set search_path = '' as $$
  select case when amount is not null then jsonb_build_object('amount', amount, 'currency', currency) end;
$$;

-- The prices of single durations that are in force now, shortest first.
create or replace function private.duration_prices(coach_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('duration', r.duration_minutes, 'price', private.money(r.amount, r.currency))
                              order by r.duration_minutes), '[]')
    from public.coach_rate r
    where r.coach_id = duration_prices.coach_id and r.duration_minutes is not null
      and r.valid_from <= private.now() and (r.valid_to is null or r.valid_to > private.now()));
end $$;

-- What anyone may see of a coach. Sessions that were completed since the last roll-up are counted from their deltas.
-- Spelled out and not put together of functions: a page of the directory would call each of them 25 times.
create or replace function private.coach_json(p public.coach_profile) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  return (
    with rate as (
      select r.duration_minutes as duration, r.amount, r.currency from public.coach_rate r, private.now() moment
      where r.coach_id = p.user_id and r.valid_from <= moment and (r.valid_to is null or r.valid_to > moment)
    )
    select jsonb_build_object(
      'coach_id', p.user_id, 'name', (select nullif(concat_ws(' ', u.first_name, u.last_name), '') from public.user_account u where u.id = p.user_id),
      'bio', p.bio, 'specialties', p.specialties, 'languages', p.languages,
      'years_coaching', p.years_coaching, 'certifications', p.certifications,
      'hourly_rate', (select jsonb_build_object('amount', r.amount, 'currency', r.currency) from rate r where r.duration is null),
      'duration_prices', (
        select coalesce(jsonb_agg(jsonb_build_object('duration', r.duration, 'price', jsonb_build_object('amount', r.amount, 'currency', r.currency))
                                  order by r.duration), '[]')
        from rate r where r.duration is not null),
      'default_duration', p.default_duration, 'minimum_duration', p.minimum_duration, 'maximum_duration', p.maximum_duration,
      'allow_custom_duration', p.allow_custom_duration,
      'average_rating', round(l.rating_sum::numeric / nullif(l.review_count, 0), 2), 'review_count', coalesce(l.review_count, 0),
      'completed_sessions', coalesce(l.completed, 0) + coalesce(
        (select sum(d.count) from private.metric_delta d where d.coach_id = p.user_id and d.measure = 'COMPLETED'), 0))
    from (select) one left join private.coach_listing l on l.coach_id = p.user_id);
end $$;

-- What its owner sees besides. How complete it is, is a rule of the layer (scheduling/completeness.py).
create or replace function private.coach_profile_json(p public.coach_profile) returns jsonb
language sql stable security definer set search_path = '' as $$
  select private.coach_json(p) || jsonb_build_object(
    'status', p.status, 'version', p.version, 'created_at', p.created_at, 'updated_at', p.updated_at,
    'has_schedule', exists (select 1 from public.availability_schedule a where a.coach_id = p.user_id));
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

drop function if exists private.set_hourly_rate(uuid, jsonb);

-- A new rate from now on, or none (JSON null), by the hour or of one duration; the one before keeps its period, because sessions were priced by it.
create or replace function private.set_rate(coach_id uuid, duration integer, rate jsonb) returns void
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  moment timestamptz := private.now();
  current public.coach_rate := private.rate_in_force(set_rate.coach_id, duration, moment);
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
    insert into public.coach_rate (coach_id, duration_minutes, amount, currency, valid_from)
    values (set_rate.coach_id, duration, (rate ->> 'amount')::integer, rate ->> 'currency', moment);
  end if;
end $$;

-- What a body says of rates: `hourly_rate`, and `duration_prices` as a whole, each only if it is sent.
create or replace function private.set_rates(p public.coach_profile, body jsonb) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  changed record;
  currency text;
  wrong jsonb;
begin
  perform private.check_price(body -> 'hourly_rate', '#/hourlyRate');
  for changed in select d.ordinality - 1 as index, d.value -> 'price' as price from jsonb_array_elements(body -> 'duration_prices') with ordinality d loop
    perform private.check_price(changed.price, format('#/durationPrices/%s/price', changed.index));
  end loop;
  if body ? 'hourly_rate' then
    perform private.set_rate(p.user_id, null, body -> 'hourly_rate');
  end if;
  if body ? 'duration_prices' then
    for changed in
      select coalesce(sent.duration, kept.duration) as duration, coalesce(sent.price, 'null') as price
      from jsonb_to_recordset(private.duration_prices(p.user_id)) kept (duration integer)
      full join jsonb_to_recordset(body -> 'duration_prices') sent (duration integer, price jsonb) on sent.duration = kept.duration
      order by 1
    loop
      perform private.set_rate(p.user_id, changed.duration, changed.price);
    end loop;
  end if;
  currency := (private.rate_in_force(p.user_id, null, private.now())).currency;
  if body ?| array['hourly_rate', 'duration_prices', 'minimum_duration'] then
    perform private.check_shortest(p);
  end if;
  select jsonb_agg(jsonb_build_object('pointer', '#/durationPrices', 'detail', m.detail)) into wrong
  from jsonb_to_recordset(private.duration_prices(p.user_id)) d (duration integer, price jsonb)
  cross join lateral (values
    (d.duration not between p.minimum_duration and p.maximum_duration,
     format('the price of %s minutes lies outside of minimumDuration and maximumDuration', d.duration)),
    (d.price ->> 'currency' <> currency,
     format('the price of %s minutes is in %s and the hourly rate in %s; a coach has one currency', d.duration, d.price ->> 'currency', currency))
  ) m (is_wrong, detail) where m.is_wrong;
  if wrong is not null then
    perform private.refuse(422, 'validation_failed', 'The prices do not fit the profile.', jsonb_build_object('errors', wrong));
  end if;
end $$;

-- Nobody can be charged less than the currency's minimum: neither can the shortest session cost less.
create or replace function private.check_shortest(p public.coach_profile) returns void
language plpgsql stable security definer set search_path = '' as $$
declare
  price jsonb := private.session_price(p.user_id, p.minimum_duration, private.now());
  least bigint := (select c.minimum from private.currency c where c.code = price ->> 'currency');
begin
  if (price ->> 'rate_amount')::bigint > 0 and (price ->> 'amount')::bigint < least then
    perform private.refuse_price('#/hourlyRate', format('%s minutes would cost less than %s minor units of %s, the least that can be charged',
      p.minimum_duration, least, price ->> 'currency'));
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
  perform private.require_keys(input, array['bio', 'specialties', 'years_coaching', 'certifications', 'languages', 'default_duration',
    'minimum_duration', 'maximum_duration', 'allow_custom_duration', 'hourly_rate', 'duration_prices']);
  made := jsonb_populate_record(null::public.coach_profile, '{"languages": []}' || input || jsonb_build_object('user_id', caller, 'status', 'DRAFT',
    'availability_version', 1, 'version', 1, 'created_at', private.now(), 'updated_at', private.now()));
  perform private.check_durations(made);
  insert into public.coach_profile select made.* on conflict do nothing;
  if not found then
    return private.end_idempotent(private.refused(409, 'profile_exists', 'You have a coach profile already. PATCH /api/coach/profile changes it.'));
  end if;
  perform private.set_rates(made, input);
  select * into made from public.coach_profile p where p.user_id = caller;
  return private.end_idempotent(private.answer(201, private.coach_profile_json(made)));
end $$;

create or replace function public.update_coach_profile(patch jsonb, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('coach_profile:manage');
  mine public.coach_profile;
  before public.profile_status;
  missing jsonb;
begin
  perform private.require_keys(patch, array['bio', 'specialties', 'years_coaching', 'certifications', 'languages', 'default_duration',
    'minimum_duration', 'maximum_duration', 'allow_custom_duration', 'hourly_rate', 'duration_prices', 'status']);
  select * into mine from public.coach_profile p where p.user_id = caller for update;
  if mine.user_id is null then
    perform private.refuse(404, 'not_found', 'You have no coach profile yet. POST /api/coach/profile makes one.');
  end if;
  perform private.require_version(mine.version, expected_version);
  before := mine.status;
  mine := jsonb_populate_record(mine, patch);
  perform private.check_durations(mine);
  perform private.set_rates(mine, patch);
  if mine.status = 'PUBLISHED' then
    select jsonb_agg(jsonb_build_object('pointer', m.pointer, 'detail', m.detail)) into missing from (values
      (length(trim(mine.bio)) >= 50, '#/bio', 'a published profile needs a bio of at least 50 characters'),
      (cardinality(mine.specialties) > 0, '#/specialties', 'a published profile needs a specialty'),
      ((private.rate_in_force(caller, null, private.now())).id is not null, '#/hourlyRate', 'a published profile needs a rate; 0 is free')
    ) m (there, pointer, detail) where not m.there;
    if missing is not null then
      perform private.refuse(422, 'profile_incomplete', 'The profile cannot be published yet.', jsonb_build_object('errors', missing));
    end if;
    if before <> 'PUBLISHED' and not private.can_be_paid(caller) then
      perform private.refuse(409, 'payouts_not_ready', 'Finish the set-up of your payouts first: POST /api/coach/payouts/onboarding.');
    end if;
  end if;
  update public.coach_profile p set
    bio = mine.bio, specialties = mine.specialties, years_coaching = mine.years_coaching, certifications = mine.certifications,
    languages = mine.languages, default_duration = mine.default_duration, minimum_duration = mine.minimum_duration, maximum_duration = mine.maximum_duration,
    allow_custom_duration = mine.allow_custom_duration, status = mine.status
  where p.user_id = caller returning * into mine;
  if mine.status <> before then
    perform private.emit('CoachProfile' || initcap(mine.status::text), jsonb_build_object('coachId', caller, 'version', mine.version));
  end if;
  return private.answer(200, private.coach_profile_json(mine));
end $$;

-- Every rate the caller has had, latest first; keyset on (valid_from, id).
create or replace function public.list_coach_rates(before_valid_from timestamptz default null, before_id uuid default null, page_size integer default 25)
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('coach_profile:read');
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'duration', r.duration_minutes, 'price', private.money(r.amount, r.currency),
                                                 'valid_from', r.valid_from, 'valid_to', r.valid_to)
                              order by r.valid_from desc, r.id desc), '[]')
    from (select * from public.coach_rate r
          where r.coach_id = caller and (before_id is null or (r.valid_from, r.id) < (before_valid_from, before_id))
          order by r.valid_from desc, r.id desc limit least(page_size, 101)) r);
end $$;
