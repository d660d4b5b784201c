-- Figures, kept as they change (ADR 027). A session or review counts in one cell: (its coach, its mentee, a UTC day, a measure).
-- Triggers write what a change takes from the old cell and adds to the new one as rows of private.metric_delta; the job roll_up_metrics folds
-- them into private.metric_day. Who reads, adds both up, so a figure is right at once, whenever the job last ran.

-- The cell of a session: the day on which it starts, and its status; a cancelled one also by whom, and whether 24 hours before or later.
create or replace function private.session_measure(s public.session) returns text
language sql stable set search_path = '' as $$
  select case when s.status = 'CANCELLED'
    then format('CANCELLED_%s_%s', s.cancelled_by, case when s.cancelled_at <= s.starts_at - interval '24 hours' then 'EARLY' else 'LATE' end)
    else s.status::text end;
$$;

-- The cells that a session counts in. That of its status, with its booked minutes; of any type but COACHING, which is the rest, also that of its
-- type; and when it is completed and Zoom has told how long its meeting was, MEASURED.
create or replace function private.session_cells(s public.session) returns table (measure text, amount integer)
language plpgsql stable security definer set search_path = '' as $$
begin
  measure := private.session_measure(s);
  amount := s.duration_minutes;
  return next;
  if s.type <> 'COACHING' and s.status <> 'EXPIRED' then
    measure := 'TYPE_' || s.type;
    return next;
  end if;
  if s.status = 'COMPLETED' then
    measure := 'MEASURED';
    select m.actual_minutes into amount from private.meeting m where m.session_id = s.id;
    if amount is not null then
      return next;
    end if;
  end if;
end $$;

create or replace function private.utc_day(moment timestamptz) returns date
language sql immutable set search_path = '' as $$
  select (moment at time zone 'UTC')::date;
$$;

create or replace function private.count_session() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op <> 'INSERT' then
    insert into private.metric_delta (coach_id, mentee_id, day, measure, count, amount)
    select old.coach_id, old.mentee_id, private.utc_day(old.starts_at), c.measure, -1, -c.amount from private.session_cells(old) c;
  end if;
  if tg_op <> 'DELETE' then
    insert into private.metric_delta (coach_id, mentee_id, day, measure, count, amount)
    select new.coach_id, new.mentee_id, private.utc_day(new.starts_at), c.measure, 1, c.amount from private.session_cells(new) c;
  end if;
  return null;
end $$;

-- What Zoom tells after the session was completed: private.measure_meeting holds the session's row meanwhile.
create or replace function private.count_meeting() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.metric_delta (coach_id, mentee_id, day, measure, count, amount)
  select s.coach_id, s.mentee_id, private.utc_day(s.starts_at), 'MEASURED', c.count, c.count * c.minutes
  from public.session s cross join (values (-1, old.actual_minutes), (1, new.actual_minutes)) c (count, minutes)
  where s.id = new.session_id and s.status = 'COMPLETED' and c.minutes is not null;
  return null;
end $$;

-- A published review counts on the UTC day on which it was written. The directory sorts by rating, so the coach's own sum is kept beside it,
-- in the listing; only reviews of one coach wait for each other there.
create or replace function private.count_review() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op <> 'INSERT' and old.status = 'PUBLISHED' then
    insert into private.metric_delta (coach_id, mentee_id, day, measure, count, amount)
    values (old.coach_id, old.mentee_id, private.utc_day(old.created_at), 'REVIEWED', -1, -old.rating);
    perform private.add_rating(old.coach_id, -1, -old.rating);
  end if;
  if tg_op <> 'DELETE' and new.status = 'PUBLISHED' then
    insert into private.metric_delta (coach_id, mentee_id, day, measure, count, amount)
    values (new.coach_id, new.mentee_id, private.utc_day(new.created_at), 'REVIEWED', 1, new.rating);
    perform private.add_rating(new.coach_id, 1, new.rating);
  end if;
  return null;
end $$;

create or replace function private.add_rating(coach uuid, reviews integer, stars integer) returns void
language sql volatile security definer set search_path = '' as $$
  update private.coach_listing l set review_count = l.review_count + reviews, rating_sum = l.rating_sum + stars,
    rating = coalesce(round(100.0 * (l.rating_sum + stars) / nullif(l.review_count + reviews, 0)), 0)
  where l.coach_id = coach;
$$;

-- One person's cells (the nil UUID's are the platform's) from one UTC day until just before another, as of this moment.
create or replace function private.metric_cells(scope text, person uuid, from_day date, to_day date)
returns table (day date, measure text, count bigint, amount bigint)
language sql stable security definer set search_path = '' as $$
  select m.day, m.measure, m.count::bigint, m.amount from private.metric_day m
  where m.scope = metric_cells.scope and m.person_id = person and m.day >= from_day and m.day < to_day
  union all
  select d.day, d.measure, d.count::bigint, d.amount from private.metric_delta d
  where d.day >= from_day and d.day < to_day and case metric_cells.scope
    when 'COACH' then d.coach_id = person when 'MENTEE' then d.mentee_id = person else true end;
$$;

-- The figures of a set of cells, `{measure: [count, amount]}`, as the API answers them. Every rate is a share of the sessions that came to an end,
-- completed + cancelled + no-show, and null when none has; a response is a booking that the coach did not call off.
create or replace function private.metric_figures(cells jsonb, upcoming bigint) returns jsonb
language sql immutable set search_path = '' as $$
  with cell as (
    select c.key as measure, (c.value ->> 0)::bigint as count, (c.value ->> 1)::bigint as amount,
           c.key not in ('EXPIRED', 'REVIEWED', 'MEASURED') and c.key not like 'TYPE\_%' as of_all
    from jsonb_each(cells) c
  ), counted as (
    select
      coalesce(sum(count) filter (where measure = 'PENDING_PAYMENT'), 0) as pending_payment,
      coalesce(sum(count) filter (where measure = 'SCHEDULED'), 0) as scheduled,
      coalesce(sum(count) filter (where measure = 'IN_PROGRESS'), 0) as in_progress,
      coalesce(sum(count) filter (where measure = 'COMPLETED'), 0) as completed,
      coalesce(sum(count) filter (where measure = 'NO_SHOW'), 0) as no_show,
      coalesce(sum(count) filter (where measure = 'EXPIRED'), 0) as expired,
      coalesce(sum(count) filter (where measure like 'CANCELLED\_%'), 0) as cancelled,
      coalesce(sum(count) filter (where measure like 'CANCELLED\_MENTEE\_%'), 0) as by_mentee,
      coalesce(sum(count) filter (where measure like 'CANCELLED\_COACH\_%'), 0) as by_coach,
      coalesce(sum(count) filter (where measure like 'CANCELLED\_ADMIN\_%'), 0) as by_admin,
      coalesce(sum(count) filter (where measure like 'CANCELLED\_SYSTEM\_%'), 0) as by_system,
      coalesce(sum(count) filter (where measure like 'CANCELLED\_%\_EARLY'), 0) as early,
      coalesce(sum(count) filter (where measure like 'CANCELLED\_%\_LATE'), 0) as late,
      coalesce(sum(amount) filter (where measure = 'COMPLETED'), 0) as completed_minutes,
      coalesce(sum(count) filter (where of_all), 0) as total,
      coalesce(sum(amount) filter (where of_all), 0) as minutes,
      coalesce(sum(count) filter (where measure = 'TYPE_INTRODUCTION'), 0) as introduction,
      coalesce(sum(count) filter (where measure = 'TYPE_FOLLOW_UP'), 0) as follow_up,
      coalesce(sum(count) filter (where measure = 'MEASURED'), 0) as measured,
      coalesce(sum(amount) filter (where measure = 'MEASURED'), 0) as measured_minutes,
      coalesce(sum(count) filter (where measure = 'REVIEWED'), 0) as reviews,
      coalesce(sum(amount) filter (where measure = 'REVIEWED'), 0) as stars
    from cell
  )
  select jsonb_build_object(
    'total', total, 'upcoming', upcoming, 'pending_payment', pending_payment, 'scheduled', scheduled, 'in_progress', in_progress,
    'completed', completed, 'no_show', no_show, 'expired', expired,
    'cancelled', jsonb_build_object('total', cancelled, 'by_mentee', by_mentee, 'by_coach', by_coach, 'by_admin', by_admin,
                                    'by_system', by_system, 'with_notice', early, 'late', late),
    'by_type', jsonb_build_object('coaching', total - introduction - follow_up, 'introduction', introduction, 'follow_up', follow_up),
    'hours', round(completed_minutes / 60.0, 2), 'average_duration', round(minutes::numeric / nullif(total, 0), 2),
    'average_actual_duration', round(measured_minutes::numeric / nullif(measured, 0), 2),
    'completion_rate', round(completed::numeric / nullif(completed + cancelled + no_show, 0), 4),
    'cancellation_rate', round(cancelled::numeric / nullif(completed + cancelled + no_show, 0), 4),
    'response_rate', round(1 - by_coach::numeric / nullif(completed + cancelled + no_show, 0), 4),
    'average_rating', round(stars::numeric / nullif(reviews, 0), 2), 'review_count', reviews)
  from counted;
$$;

-- Figures of a range of UTC days and, with `step`, of each day, week (from Monday) or month in it that has any.
-- Upcoming is scheduled and not begun: whole days ahead come from the cells, the rest of today from the sessions themselves.
create or replace function private.metrics(scope text, person uuid, from_day date, to_day date, step text) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  moment timestamptz := private.now();
  today date := private.utc_day(moment);
  first date := coalesce(from_day, '-infinity');
  last date := coalesce(to_day, 'infinity');
  unit text := coalesce(step, 'day');
  still_today bigint := 0;
  answer jsonb;
begin
  if today >= first and today < last then
    select count(*) into still_today from public.session s
    where s.status = 'SCHEDULED' and s.starts_at > moment and s.starts_at < (today + 1)::timestamp at time zone 'UTC'
      and case metrics.scope when 'COACH' then s.coach_id = person when 'MENTEE' then s.mentee_id = person else true end;
  end if;
  with cell as (
    select case when step is null then null else date_trunc(unit, c.day::timestamp)::date end as period, c.measure, c.count, c.amount,
           case when c.measure = 'SCHEDULED' and c.day > today then c.count else 0 end as ahead
    from private.metric_cells(metrics.scope, person, first, last) c
  ), measured as (
    select period, measure, sum(count) as count, sum(amount) as amount, sum(ahead) as ahead, grouping(period) as is_whole
    from cell group by grouping sets ((period, measure), (measure))
  ), figured as (
    select is_whole, period, jsonb_object_agg(measure, jsonb_build_array(count, amount)) as cells, sum(ahead)::bigint as ahead
    from measured where count <> 0 or amount <> 0 group by is_whole, period
  )
  select jsonb_build_object(
    'figures', coalesce((select private.metric_figures(f.cells, f.ahead + still_today) from figured f where f.is_whole = 1 limit 1),
                        private.metric_figures('{}', 0)),
    'periods', case when step is not null then coalesce((
      select jsonb_agg(private.metric_figures(f.cells, f.ahead + case when f.period = date_trunc(unit, today::timestamp)::date then still_today else 0 end)
                       || jsonb_build_object('start', f.period) order by f.period)
      from figured f where f.is_whole = 0), '[]') end)
  into answer;
  return answer;
end $$;

-- Of the caller as a coach or a mentee; of the platform for an ADMIN. Without a role, that of his home (DOMAIN A).
create or replace function public.session_metrics(as_role text default null, from_day date default null, to_day date default null, step text default null)
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('metrics:read');
  role public.role_name := coalesce(as_role::public.role_name,
    (select r.role from public.user_role r where r.user_id = caller order by r.role = 'ADMIN' desc, r.role = 'COACH' desc limit 1));
begin
  if not private.caller_is(role) then
    perform private.refuse(403, 'forbidden', format('Only a user with the role %s has such figures.', role));
  end if;
  return jsonb_build_object('role', role) || case role
    when 'ADMIN' then private.metrics('PLATFORM', '00000000-0000-0000-0000-000000000000', from_day, to_day, step)
    else private.metrics(role::text, caller, from_day, to_day, step) end;
end $$;

-- A coach's own, or any coach's for an ADMIN.
create or replace function public.coach_metrics(coach_id uuid, from_day date default null, to_day date default null, step text default null) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('coach_metrics:read');
begin
  if not (coach_id = caller or private.caller_is('ADMIN'))
     or not exists (select 1 from public.coach_profile p where p.user_id = coach_metrics.coach_id) then
    perform private.refuse(404, 'not_found', 'There is no such coach, or his figures are not yours to see.');
  end if;
  return private.metrics('COACH', coach_id, from_day, to_day, step);
end $$;

-- Folds the oldest deltas into the cells and the listing, in one transaction, and only one at a time. Killed anywhere, nothing is lost or counted twice.
create or replace function public.roll_up_metrics(batch_size integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  folded bigint;
begin
  perform private.require_service();
  if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('roll_up_metrics', 0)) then
    return private.answer(200, '{"folded": 0}');
  end if;
  with taken as (
    delete from private.metric_delta d where d.id in (select o.id from private.metric_delta o order by o.id limit batch_size) returning d.*
  ), cell as (
    select s.scope, s.person_id, t.day, t.measure, sum(t.count)::integer as count, sum(t.amount)::bigint as amount
    from taken t cross join lateral (values
      ('COACH', t.coach_id), ('MENTEE', t.mentee_id), ('PLATFORM', '00000000-0000-0000-0000-000000000000'::uuid)) s (scope, person_id)
    group by 1, 2, 3, 4
  ), kept as (
    insert into private.metric_day as m (scope, person_id, day, measure, count, amount)
    select c.scope, c.person_id, c.day, c.measure, c.count, c.amount from cell c where c.count <> 0 or c.amount <> 0
    on conflict on constraint metric_day_pkey do update set count = m.count + excluded.count, amount = m.amount + excluded.amount
  ), listed as (
    update private.coach_listing l set completed = l.completed + t.completed, changes = l.changes + 1
    from (select coach_id, coalesce(sum(count) filter (where measure = 'COMPLETED'), 0) as completed from taken group by coach_id) t
    where l.coach_id = t.coach_id
  )
  select count(*) into folded from taken;
  delete from private.metric_day m where m.count = 0 and m.amount = 0;
  return private.answer(200, jsonb_build_object('folded', folded));
end $$;

-- What sessions and reviews say by themselves.
create or replace function private.recounted_metrics()
returns table (scope text, person_id uuid, day date, measure text, count bigint, amount bigint)
language sql stable security definer set search_path = '' as $$
  with cell as (
    select s.coach_id, s.mentee_id, private.utc_day(s.starts_at) as day, private.session_measure(s) as measure, s.duration_minutes as amount
    from public.session s
    union all
    select s.coach_id, s.mentee_id, private.utc_day(s.starts_at), 'TYPE_' || s.type, s.duration_minutes from public.session s
    where s.type <> 'COACHING' and s.status <> 'EXPIRED'
    union all
    select s.coach_id, s.mentee_id, private.utc_day(s.starts_at), 'MEASURED', private.actual_minutes(s.id) from public.session s
    where s.status = 'COMPLETED' and s.id in (select i.session_id from private.meeting_instance i) and private.actual_minutes(s.id) is not null
    union all
    select r.coach_id, r.mentee_id, private.utc_day(r.created_at), 'REVIEWED', r.rating from public.review r where r.status = 'PUBLISHED'
  )
  select p.scope, p.person_id, c.day, c.measure, count(*), sum(c.amount)
  from cell c cross join lateral (values
    ('COACH', c.coach_id), ('MENTEE', c.mentee_id), ('PLATFORM', '00000000-0000-0000-0000-000000000000'::uuid)) p (scope, person_id)
  group by 1, 2, 3, 4;
$$;

-- Where the kept figures differ from a full recount: empty, at any moment. LISTING rows compare what the directory keeps of a coach.
create or replace function private.metric_drift()
returns table (scope text, person_id uuid, day date, measure text, kept_count bigint, kept_amount bigint, real_count bigint, real_amount bigint)
language sql stable security definer set search_path = '' as $$
  with real as (
    select * from private.recounted_metrics()
  ), kept as (
    select c.scope, c.person_id, c.day, c.measure, sum(c.count)::bigint as count, sum(c.amount)::bigint as amount from (
      select m.scope, m.person_id, m.day, m.measure, m.count, m.amount from private.metric_day m
      union all
      select p.scope, p.person_id, d.day, d.measure, d.count, d.amount
      from private.metric_delta d cross join lateral (values
        ('COACH', d.coach_id), ('MENTEE', d.mentee_id), ('PLATFORM', '00000000-0000-0000-0000-000000000000'::uuid)) p (scope, person_id)) c
    group by 1, 2, 3, 4
  ), listing as (
    select l.coach_id as person_id, f.measure, f.count, f.amount from private.coach_listing l cross join lateral (values
      ('REVIEWED', l.review_count::bigint, l.rating_sum),
      ('COMPLETED', l.completed + coalesce((select sum(d.count) from private.metric_delta d
                                            where d.coach_id = l.coach_id and d.measure = 'COMPLETED'), 0)::bigint, 0)) f (measure, count, amount)
  ), expected as (
    select r.person_id, r.measure, sum(r.count)::bigint as count, sum(case when r.measure = 'REVIEWED' then r.amount else 0 end)::bigint as amount
    from real r where r.scope = 'COACH' and r.measure in ('REVIEWED', 'COMPLETED') group by 1, 2
  )
  select scope, person_id, day, measure, coalesce(k.count, 0), coalesce(k.amount, 0), coalesce(r.count, 0), coalesce(r.amount, 0)
  from kept k full join real r using (scope, person_id, day, measure)
  where (coalesce(k.count, 0), coalesce(k.amount, 0)) <> (coalesce(r.count, 0), coalesce(r.amount, 0))
  union all
  select 'LISTING', person_id, null, measure, coalesce(l.count, 0), coalesce(l.amount, 0), coalesce(e.count, 0), coalesce(e.amount, 0)
  from listing l full join expected e using (person_id, measure)
  where (coalesce(l.count, 0), coalesce(l.amount, 0)) <> (coalesce(e.count, 0), coalesce(e.amount, 0));
$$;

-- Starts the kept figures anew from the rows. For the transaction that creates the triggers, and for repairs: both hold writers off.
create or replace function private.rebuild_metrics() returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  lock table public.session, public.review, private.meeting in share row exclusive mode;
  delete from private.metric_delta;
  delete from private.metric_day;
  insert into private.metric_day (scope, person_id, day, measure, count, amount)
  select r.scope, r.person_id, r.day, r.measure, r.count, r.amount from private.recounted_metrics() r;
  perform private.refresh_listing(p.user_id) from public.coach_profile p order by p.user_id;
  update private.coach_listing l set
    completed = coalesce(f.completed, 0), review_count = coalesce(f.reviews, 0), rating_sum = coalesce(f.stars, 0),
    rating = coalesce(round(100.0 * f.stars / nullif(f.reviews, 0)), 0), changes = l.changes + 1
  from public.coach_profile p left join (
    select m.person_id, sum(m.count) filter (where m.measure = 'COMPLETED') as completed,
           sum(m.count) filter (where m.measure = 'REVIEWED') as reviews, sum(m.amount) filter (where m.measure = 'REVIEWED') as stars
    from private.metric_day m where m.scope = 'COACH' and m.measure in ('COMPLETED', 'REVIEWED') group by m.person_id) f on f.person_id = p.user_id
  where l.coach_id = p.user_id;
end $$;
