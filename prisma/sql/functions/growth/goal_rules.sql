-- The rules of goals: functions of their arguments alone. tests/integration/growth/test_goal_rules.py holds them to a slow reference.

-- The first instant after a local date. Postgres takes a midnight that comes twice for the second of the two, and one that is left out for the
-- moment of the change; the day ends where a later date begins for good.
create or replace function private.end_of_day(day date, zone text) returns timestamptz
language sql immutable set search_path = '' as $$
  select max(c.at) from (
    select ((day + 1)::timestamp at time zone zone) - make_interval(mins => earlier) as at from unnest('{0,20,30,60,120}'::integer[]) earlier) c
  where (c.at at time zone zone)::date > day and ((c.at - interval '1 microsecond') at time zone zone)::date <= day;
$$;

create or replace function private.goal_reached(direction public.goal_direction, value numeric, mark numeric) returns boolean
language sql immutable set search_path = '' as $$
  select case direction when 'UP' then value >= mark else value <= mark end;
$$;

-- What is reached is completed, however late that is known: entries are dated within the period.
create or replace function private.goal_status(
  direction public.goal_direction, value numeric, target numeric, due_at timestamptz, at timestamptz) returns public.goal_status
language sql immutable set search_path = '' as $$
  select case when private.goal_reached(direction, value, target) then 'COMPLETED' when at >= due_at then 'OVERDUE' else 'ACTIVE' end::public.goal_status;
$$;

-- How much of the way is done, from 0 to 100, rounded down: 100 is said of what is reached only.
create or replace function private.goal_percent(start_value numeric, value numeric, target numeric) returns integer
language sql immutable set search_path = '' as $$
  select greatest(0, least(100, floor(100 * (value - start_value) / (target - start_value))))::integer;
$$;

-- Which reminder a moment belongs to: 7, 3 or 1 days ahead, each from nine in the morning, in the goal's zone, until the next.
-- None for a moment that had passed when the deadline was set.
create or replace function private.goal_reminder(deadline date, zone text, due_at timestamptz, set_at timestamptz, at timestamptz) returns integer
language sql immutable set search_path = '' as $$
  select r.days from (
    select d.days, ((deadline - d.days) + time '09:00') at time zone zone as since from unnest('{7,3,1}'::integer[]) d (days)) r
  where r.since <= at and at < due_at and set_at <= r.since
    and r.since = (select max(((deadline - d.days) + time '09:00') at time zone zone) from unnest('{7,3,1}'::integer[]) d (days)
                   where ((deadline - d.days) + time '09:00') at time zone zone <= at);
$$;

-- What is wrong with a goal as a whole, as errors of a 422; null when nothing is. A deadline that is not new may be over.
create or replace function private.goal_faults(g public.goal, new_deadline boolean) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_agg(jsonb_build_object('pointer', f.pointer, 'detail', f.detail)) from (values
    (g.direction = 'UP' and g.target_value <= 0, '#/targetValue', 'Must be above 0'),
    (g.direction = 'DOWN' and g.target_value < 0, '#/targetValue', 'Must not be below 0'),
    (g.direction = 'UP' and g.target_value > 0 and g.target_value <= g.start_value, '#/targetValue', 'Must be above startValue, as direction is UP'),
    (g.direction = 'DOWN' and g.target_value >= g.start_value, '#/targetValue', 'Must be below startValue, as direction is DOWN'),
    (exists (select 1 from unnest(g.milestones) m where m <= least(g.start_value, g.target_value) or m >= greatest(g.start_value, g.target_value)),
     '#/milestones', 'Each must lie between startValue and targetValue'),
    (cardinality(g.milestones) <> (select count(distinct m) from unnest(g.milestones) m), '#/milestones', 'Each must be there once'),
    (g.source = 'AUTOMATIC' and g.type not in ('SESSIONS', 'HOURS', 'REVIEWS'), '#/source', 'Only SESSIONS, HOURS and REVIEWS can be counted for you'),
    (g.source = 'AUTOMATIC' and g.type in ('SESSIONS', 'HOURS', 'REVIEWS') and (g.direction, g.counting) <> ('UP', 'TOTAL'),
     '#/source', 'What is counted for you goes UP and is a TOTAL'),
    (g.deadline < g.starts_on, '#/deadline', 'Must not be before startsOn'),
    (g.deadline > g.starts_on + 3660, '#/deadline', 'Must be within ten years of startsOn'),
    (new_deadline and g.due_at <= private.now(), '#/deadline', format('Must not be over yet, in %s', g.timezone)),
    (g.starts_on < (g.created_at at time zone g.timezone)::date - 366, '#/startsOn', 'Must not be more than a year ago')
  ) f (wrong, pointer, detail) where f.wrong;
$$;
