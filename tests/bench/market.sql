-- A market of coaches and sessions for benchmarks and tests, deterministic: `coachline.coaches`, `coachline.sessions` and `coachline.now` say how large and when.
-- Nine sessions of ten lie in the past, the others within 60 days. Triggers are off while it is filled; then the figures are counted once.
alter table public.user_account disable trigger user;
alter table public.user_role disable trigger user;
alter table public.coach_profile disable trigger user;
alter table public.coach_rate disable trigger user;
alter table public.availability_schedule disable trigger user;
alter table public.session disable trigger user;
alter table public.review disable trigger user;

create temporary table scale as select current_setting('coachline.coaches')::integer as coaches, current_setting('coachline.sessions')::integer as sessions,
  date_trunc('day', current_setting('coachline.now')::timestamptz, 'UTC') as today;
create function pg_temp.person(kind text, n integer) returns uuid language sql immutable as $$ select md5(kind || n)::uuid $$;

insert into public.user_account (id, clerk_id, email, first_name, last_name, timezone)
select pg_temp.person(k.kind, n), 'bench_' || k.kind || n, k.kind || n || '@bench.example.com',
       (array['Casey', 'Lena', 'Kiran', 'Olivia', 'Noah', 'Mia', 'Sam', 'Ada'])[1 + n % 8], 'Bench ' || n, 'America/New_York'
from (values ('coach'), ('mentee')) k (kind) cross join lateral generate_series(1, (select coaches * case k.kind when 'coach' then 1 else 2 end from scale)) n;
insert into public.user_role (user_id, role)
select pg_temp.person('coach', n), 'COACH'::public.role_name from generate_series(1, (select coaches from scale)) n
union all select pg_temp.person('mentee', n), 'MENTEE' from generate_series(1, (select 2 * coaches from scale)) n;
insert into public.coach_profile (user_id, bio, specialties, languages, years_coaching, status, created_at)
select pg_temp.person('coach', n), 'Coach number ' || n || ': pricing, staging, ' || (array['mandates', 'lettings', 'luxury homes', 'first clients'])[1 + n % 4]
         || ' and a plan for your next quarter.',
       array[(array['Listings', 'Negotiation', 'Lettings', 'Prospecting', 'First year'])[1 + n % 5], (array['Pricing', 'Luxury', 'Staging'])[1 + n % 3]],
       (array['{en}', '{en,es}', '{es}', '{en,de}'])[1 + n % 4]::text[], n % 30, 'PUBLISHED', (select today from scale) - make_interval(mins => n)
from generate_series(1, (select coaches from scale)) n;
insert into public.coach_rate (coach_id, amount, currency, valid_from)
select pg_temp.person('coach', n), 5000 + 500 * (n % 40), (array['USD', 'USD', 'USD', 'EUR'])[1 + n % 4], '2020-01-01'
from generate_series(1, (select coaches from scale)) n;
insert into public.availability_schedule (coach_id, name, timezone, is_default, weekly, minimum_notice)
select pg_temp.person('coach', n), 'Office hours', (array['America/New_York', 'Europe/London', 'Asia/Kathmandu', 'America/Los_Angeles'])[1 + n % 4], true,
       (select jsonb_agg(jsonb_build_object('day', day, 'intervals', '[{"from": "08:00", "to": "18:00"}]'::jsonb))
        from unnest(array['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY']) day), 60 * (n % 24)
from generate_series(1, (select coaches from scale)) n;

-- Session k of a coach takes the k-th of the 14 places that a day has, backwards from yesterday or forwards from tomorrow.
do $$
begin
  for tenth in 0..9 loop
    insert into public.session (coach_id, mentee_id, status, starts_at, ends_at, duration_minutes, buffer_before, buffer_after, blocked, coach_timezone,
      mentee_timezone, rate_amount, price_amount, fee_amount, fee_bps, currency, cancelled_at, cancelled_by, created_at)
    select pg_temp.person('coach', c), pg_temp.person('mentee', 1 + (c + k * 7) % (2 * scale.coaches)), o.status, t.at, t.at + interval '1 hour', 60, 15, 15,
           tstzrange(t.at - interval '15 minutes', t.at + interval '75 minutes'), 'America/New_York', 'UTC', 5000, 5000, 425, 850, 'USD',
           case when o.status = 'CANCELLED' then t.at - make_interval(hours => 12 + k % 24) end,
           (case when o.status = 'CANCELLED' then case when k % 2 = 0 then 'MENTEE' else 'COACH' end end)::public.session_actor, t.at - interval '7 days'
    from scale cross join generate_series(tenth * scale.sessions / 10, (tenth + 1) * scale.sessions / 10 - 1) i
    cross join lateral (select 1 + i % scale.coaches as c, i / scale.coaches as k) n
    cross join lateral (select k >= 0.9 * (scale.sessions / scale.coaches) as ahead, k - ceil(0.9 * (scale.sessions / scale.coaches))::integer as place) a
    cross join lateral (select case
        when ahead then scale.today + make_interval(days => 1 + (place / 2) % 60, hours => 9 + 3 * (place % 2), mins => 105 * (c % 3))
        else scale.today - make_interval(days => 1 + k / 14, mins => 105 * (1 + k % 13)) end as at) t
    cross join lateral (select (case when ahead then 'SCHEDULED' when k % 10 < 8 then 'COMPLETED' when k % 10 = 8 then 'CANCELLED' else 'NO_SHOW' end)::public.session_status as status) o
    where not ahead or place < 120
    on conflict do nothing;
    raise notice '% %% of the sessions', 10 * (tenth + 1);
  end loop;
end $$;
insert into public.review (session_id, coach_id, mentee_id, rating, text, created_at)
select s.id, s.coach_id, s.mentee_id, 1 + abs(hashtext(s.id::text)) % 5, 'I left with a plan.', s.ends_at from public.session s
where s.status = 'COMPLETED' and abs(hashtext(s.id::text || 'r')) % 5 = 0 and s.coach_id in (select pg_temp.person('coach', n) from scale, generate_series(1, coaches) n);

alter table public.user_account enable trigger user;
alter table public.user_role enable trigger user;
alter table public.coach_profile enable trigger user;
alter table public.coach_rate enable trigger user;
alter table public.availability_schedule enable trigger user;
alter table public.session enable trigger user;
alter table public.review enable trigger user;
do $$ begin raise notice 'reviews; now the figures are counted'; end $$;
select private.rebuild_metrics();
drop table scale;
