-- What people have done, and what of it is achieved. Both are worked out from sessions, reviews, goals and referrals each time, so an event that comes again, late or
-- never changes nothing: events only say of whom to look. Nothing that counted can be taken back: completed sessions stay completed, reviews
-- count as they were given, a goal by its first completion, a referral by its reward. A session of before completions were dated counts by its end.
create or replace function private.achievement_facts(people uuid[])
returns table (user_id uuid, metric public.achievement_metric, value numeric, at timestamptz, source_id uuid)
language sql stable security definer set search_path = '' as $$
  select s.coach_id, m.metric, m.value, coalesce(s.completed_at, s.ends_at), s.id
  from public.session s cross join lateral (values
    ('SESSIONS_AS_COACH'::public.achievement_metric, 1::numeric), ('HOURS_AS_COACH', s.duration_minutes / 60.0)) m (metric, value)
  where s.coach_id = any (people) and s.status = 'COMPLETED'
  union all
  select s.mentee_id, m.metric, m.value, coalesce(s.completed_at, s.ends_at), s.id
  from public.session s cross join lateral (values
    ('SESSIONS_AS_MENTEE'::public.achievement_metric, 1::numeric), ('HOURS_AS_MENTEE', s.duration_minutes / 60.0)) m (metric, value)
  where s.mentee_id = any (people) and s.status = 'COMPLETED'
  union all
  select r.coach_id, m.metric, m.value, r.created_at, r.id
  from public.review r cross join lateral (values
    ('REVIEWS_RECEIVED'::public.achievement_metric, 1::numeric), ('RATING_RECEIVED', r.rating)) m (metric, value)
  where r.coach_id = any (people)
  union all
  select r.mentee_id, 'REVIEWS_WRITTEN', 1, r.created_at, r.id from public.review r where r.mentee_id = any (people)
  union all
  select g.user_id, 'GOALS_COMPLETED', 1, g.first_completed_at, g.id from public.goal g where g.user_id = any (people) and g.first_completed_at is not null
  union all
  select r.referrer_id, 'REFERRALS_REWARDED', 1, r.rewarded_at, r.id
  from private.referral r where r.referrer_id = any (people) and r.rewarded_at is not null;
$$;

-- The window an instant lies in, in UTC: '2027', '2027-03', or 'ALL'. This and the next are asked for each fact and definition: without a setting of
-- their own, and as stable as what they call, Postgres puts their bodies into the query. Whoever calls them has the empty search path.
create or replace function private.achievement_period(span public.achievement_window, at timestamptz) returns text
language sql stable as $$
  select case span when 'ALL_TIME' then 'ALL' else to_char(at at time zone 'UTC', case span when 'YEAR' then 'YYYY' else 'YYYY-MM' end) end;
$$;

create or replace function private.achievement_holds(operator public.achievement_operator, value numeric, threshold numeric) returns boolean
language sql immutable as $$
  select case operator when 'AT_LEAST' then value >= threshold when 'AT_MOST' then value <= threshold else value = threshold end;
$$;

-- How far each person is with each live definition in each period: after every fact the sum so far, or the values in a row that hold.
-- Those granted already are left out, so that who has done much is not added up for each event.
create or replace function private.achievement_steps(people uuid[], all_of_them boolean)
returns table (user_id uuid, definition_id uuid, period text, at timestamptz, reached numeric, goal numeric)
language sql stable security definer set search_path = '' as $$
  with open as (
    select p.user_id, d.* from unnest(people) p (user_id) cross join public.achievement_definition d
    where d.retired_at is null and (all_of_them or d."window" <> 'ALL_TIME' or not exists (
      select 1 from public.achievement_grant g where g.user_id = p.user_id and g.definition_id = d.id and g.period = 'ALL'))
  ), fact as (
    select f.user_id, o.id as definition_id, private.achievement_period(o."window", f.at) as period, f.at, f.source_id, f.value, o.threshold, o.streak,
           private.achievement_holds(o.operator, f.value, o.threshold) as holds
    from private.achievement_facts(people) f join open o on o.user_id = f.user_id and o.metric = f.metric
  ), run as (
    select f.*, count(*) filter (where not f.holds) over so_far as breaks, sum(f.value) over so_far as total
    from fact f window so_far as (partition by f.user_id, f.definition_id, f.period order by f.at, f.source_id rows unbounded preceding)
  )
  select r.user_id, r.definition_id, r.period, r.at,
         case when r.streak is null then round(r.total, 2)  -- three times twenty minutes are an hour
              else count(*) filter (where r.holds) over (partition by r.user_id, r.definition_id, r.period, r.breaks order by r.at, r.source_id rows unbounded preceding) end,
         coalesce(r.streak, r.threshold)
  from run r;
$$;

-- Those of them who may have achieved something that they were not granted: by the sums of each month, without regard to the order. Most
-- events bring nobody over a threshold, and to see that takes one aggregate over the facts, not a row for each fact and definition with windows over them.
create or replace function private.achievement_candidates(people uuid[]) returns uuid[]
language sql stable security definer set search_path = '' as $$
  with tally as materialized (
    select f.user_id, f.metric, date_trunc('month', f.at, 'UTC') as month, f.value, count(*) as n
    from private.achievement_facts(people) f group by 1, 2, 3, 4
  ), most as (
    select t.user_id, d.id as definition_id, private.achievement_period(d."window", t.month) as period, coalesce(d.streak, d.threshold) as goal,
           case when d.streak is null then round(sum(t.n * t.value), 2)
                else sum(t.n) filter (where private.achievement_holds(d.operator, t.value, d.threshold)) end as reached
    from tally t join public.achievement_definition d on d.metric = t.metric and d.retired_at is null group by 1, 2, 3
  )
  select array(select distinct m.user_id from most m where m.reached >= m.goal and not exists (
    select 1 from public.achievement_grant g where g.user_id = m.user_id and g.definition_id = m.definition_id and g.period = m.period));
$$;

-- Held by whoever grants by the rules, together with others, and alone by whoever changes a rule: nobody is granted by a rule that is no more.
create or replace function private.hold_achievement_rules(alone boolean) returns void
language sql volatile set search_path = '' as $$
  select case when alone then pg_advisory_xact_lock(hashtextextended('achievement_rules', 0))
              else pg_advisory_xact_lock_shared(hashtextextended('achievement_rules', 0)) end;
$$;

-- Grants what these people have achieved and not been granted, once for each period, and tells of it: how many.
create or replace function private.grant_achievements(people uuid[]) returns integer
language plpgsql volatile security definer set search_path = '' as $$
declare
  made integer;
begin
  perform private.hold_achievement_rules(false);
  people := private.achievement_candidates(array(select u.id from public.user_account u where u.id = any (people) and u.deleted_at is null));
  with earned as (
    select s.user_id, s.definition_id, s.period, min(s.at) as earned_at
    from private.achievement_steps(people, false) s where s.reached >= s.goal group by 1, 2, 3
  ), granted as (
    insert into public.achievement_grant (user_id, definition_id, period, earned_at, granted_at)
    select e.user_id, e.definition_id, e.period, e.earned_at, private.now() from earned e order by 1, 2, 3
    on conflict on constraint achievement_grant_once do nothing returning *
  ), told as (
    select private.emit_achievement('AchievementGranted', g) from granted g
  )
  select count(*) into made from told;
  return made;
end $$;

create or replace function private.emit_achievement(type text, g public.achievement_grant) returns void
language sql volatile security definer set search_path = '' as $$
  select private.emit(emit_achievement.type, jsonb_build_object(
    'grantId', g.id, 'userId', g.user_id, 'code', d.code, 'title', d.title, 'description', d.description,
    'type', d.type, 'period', g.period, 'earnedAt', g.earned_at))
  from public.achievement_definition d where d.id = g.definition_id;
$$;

-- What the consumer calls with a batch: [{"id", "payload"}]. Of the events it has not seen, whoever they name is looked at; automatic goals first, because
-- one that is completed by them is itself told of.
create or replace function public.apply_growth_events(events jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  people uuid[];
begin
  perform private.require_service();
  with new as (
    insert into private.applied_event (consumer, event_id)
    select distinct 'growth', (e ->> 'id')::uuid from jsonb_array_elements(events) e order by 2 on conflict do nothing returning event_id
  )
  select array_agg(distinct p.person::uuid) into people
  from jsonb_array_elements(events) e
  join new on new.event_id = (e ->> 'id')::uuid
  cross join lateral (values (e #>> '{payload,coachId}'), (e #>> '{payload,menteeId}'), (e #>> '{payload,userId}')) p (person)
  where p.person is not null;
  return private.answer(200, jsonb_build_object('people', coalesce(cardinality(people), 0), 'granted', private.bring_up_to_date(people)));
end $$;

-- Brings the automatic goals of these people up to date, in the order of their ids.
create or replace function private.count_for_people(people uuid[]) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  g public.goal;
begin
  for g in
    select f.* from public.goal f
    where f.user_id = any (people) and f.source = 'AUTOMATIC' and f.deleted_at is null order by f.id for update
  loop
    perform private.count_for_goal(g);
    perform private.settle_goal(g.id, private.now());
  end loop;
end $$;

-- Goals that are counted for these people, then achievements: how many were granted.
create or replace function private.bring_up_to_date(people uuid[]) returns integer
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.count_for_people(people);
  return private.grant_achievements(people);
end $$;

-- The same for everybody, by id after `after_id`: for definitions that are new, for events that never came, and after repairs. A batch that
-- fails is gone through one by one, so that one person's rows keep nobody else from theirs.
create or replace function public.backfill_achievements(batch integer, after_id uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  people uuid[];
  person uuid;
  granted integer := 0;
  failures jsonb := '[]';
begin
  perform private.require_service();
  people := array(select u.id from public.user_account u where u.deleted_at is null and (after_id is null or u.id > after_id) order by u.id limit batch);
  begin
    granted := private.bring_up_to_date(people);
  exception when others then
    foreach person in array people loop
      begin
        granted := granted + private.bring_up_to_date(array[person]);
      exception when others then
        failures := failures || jsonb_build_object('user', person, 'sqlstate', sqlstate, 'reason', sqlerrm);
      end;
    end loop;
  end;
  return private.answer(200, jsonb_build_object('counts', jsonb_build_object('granted', granted), 'failures', failures,
    'next', case when cardinality(people) = batch then people[batch] end));
end $$;
