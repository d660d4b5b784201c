-- Roles over [from_at, to_at): who has which as the period ends, what changed in it, how requests went, and what sessions there were.
-- Everything is counted from rows that stay: the log of roles, requests, sessions.
create or replace function public.role_analytics(from_at timestamptz, to_at timestamptz) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  answer jsonb;
begin
  perform private.require_caller('role:analyse');
  with held as materialized (
    select * from (
      select distinct on (c.user_id) c.user_id, c.after as roles from private.role_change c
      where c.occurred_at < to_at order by c.user_id, c.id desc) latest
    where latest.roles <> '{}'
  ), each_role as (
    select r.role, h.user_id from unnest(enum_range(null::public.role_name)) r (role) left join held h on r.role = any (h.roles)
  ), change as (
    select (c.occurred_at at time zone 'UTC')::date as day, r.role,
           count(*) filter (where r.role = any (c.after)) as granted, count(*) filter (where r.role = any (c.before)) as revoked
    from private.role_change c
    join unnest(enum_range(null::public.role_name)) r (role) on (r.role = any (c.before)) <> (r.role = any (c.after))
    where c.occurred_at >= from_at and c.occurred_at < to_at group by 1, 2
  ), asked as (
    select q.role, count(*) as requested, count(*) filter (where q.status = 'REQUESTED') as open,
           count(*) filter (where q.status = 'APPROVED') as approved, count(*) filter (where q.status = 'REJECTED') as rejected,
           count(*) filter (where q.status = 'WITHDRAWN') as withdrawn
    from public.role_request q where q.created_at >= from_at and q.created_at < to_at group by 1
  ), taken_part as (
    select s.id, s.status, s.price_amount, s.currency, p.user_id, p.coached
    from public.session s cross join lateral (values (s.coach_id, true), (s.mentee_id, false)) p (user_id, coached)
    where s.starts_at >= from_at and s.starts_at < to_at and s.status not in ('PENDING_PAYMENT', 'EXPIRED')
  ), held_session as (
    select e.role, t.coached, t.id, t.status, t.price_amount, t.currency from each_role e join taken_part t on t.user_id = e.user_id
  ), revenue as (
    select d.role, d.currency, sum(d.price_amount) as amount
    from (select distinct role, id, price_amount, currency from held_session where status = 'COMPLETED') d group by 1, 2
  )
  select jsonb_build_object(
    'from', from_at, 'to', to_at,
    'users_by_role', (select jsonb_agg(jsonb_build_object('role', role, 'users', users) order by role)
                      from (select role, count(user_id) as users from each_role group by 1) n),
    'users_by_combination', (select coalesce(jsonb_agg(jsonb_build_object('roles', roles, 'users', users) order by users desc, roles), '[]')
                             from (select roles, count(*) as users from held group by 1) n),
    'changes', (select coalesce(jsonb_agg(to_jsonb(change) order by day, role), '[]') from change),
    'requests', (select coalesce(jsonb_agg(to_jsonb(asked) order by role), '[]') from asked),
    'median_decision_seconds', (
      select round(percentile_cont(0.5) within group (order by extract(epoch from q.decided_at - q.created_at)))::bigint
      from public.role_request q
      where q.status in ('APPROVED', 'REJECTED') and q.decided_at >= from_at and q.decided_at < to_at),
    'sessions', (
      select jsonb_agg(jsonb_build_object(
        'role', n.role, 'coached', n.coached, 'booked', n.booked, 'completed', n.completed,
        'revenue', (select coalesce(jsonb_agg(private.money(v.amount::bigint, v.currency) order by v.currency), '[]')
                    from revenue v where v.role = n.role)) order by n.role)
      from (select r.role, count(*) filter (where h.coached) as coached, count(*) filter (where not h.coached) as booked,
                   count(distinct h.id) filter (where h.status = 'COMPLETED') as completed
            from unnest(enum_range(null::public.role_name)) r (role) left join held_session h on h.role = r.role group by 1) n)
  ) into answer;
  return answer;
end $$;
