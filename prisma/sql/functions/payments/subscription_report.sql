-- What a price brings in a year, exactly: months and years divide, weeks count 52 to a year, days 365.
create or replace function private.annual_amount(c private.plan_price) returns numeric
language sql immutable set search_path = '' as $$
  select c.amount::numeric * case c.billing_interval when 'MONTH' then 12 when 'YEAR' then 1 when 'WEEK' then 52 else 365 end / c.interval_count;
$$;

-- Every state a subscription was in, from when until when, and what it brought in a year: nothing on trial, unpaid, paused or ended.
-- Stripe's events have a resolution of a second. Within one the further state is the later, and a new subscription begins as nothing.
create or replace function private.subscription_timeline()
returns table (subscription_id uuid, user_id uuid, occurred_at timestamptz, until_at timestamptz, status public.subscription_status,
               plan_price_id uuid, currency text, annual numeric, annual_before numeric, status_before public.subscription_status)
language sql stable security definer set search_path = '' as $$
  select t.subscription_id, t.user_id, t.occurred_at, t.until_at, t.status, t.plan_price_id, t.currency, t.annual,
         coalesce(lag(t.annual) over w, 0), lag(t.status) over w
  from (
    select h.subscription_id, s.user_id, h.occurred_at,
           coalesce(lead(h.occurred_at) over (partition by h.subscription_id order by h.occurred_at, h.status, h.id), 'infinity') as until_at,
           h.status, h.plan_price_id, c.currency,
           case when h.status in ('ACTIVE', 'PAST_DUE') and not h.collection_paused then private.annual_amount(c) else 0 end as annual,
           h.id
    from private.subscription_change h join private.subscription s on s.id = h.subscription_id join private.plan_price c on c.id = h.plan_price_id) t
  window w as (partition by t.subscription_id order by t.occurred_at, t.status, t.id);
$$;

create or replace function public.get_subscription_report(from_at timestamptz, to_at timestamptz) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_caller('report:read');
  return private.subscription_report(from_at, to_at);
end $$;

-- Recurring revenue at the end of [from, to) and how it came about, by currency and never summed over them; every figure from the history.
create or replace function private.subscription_report(from_at timestamptz, to_at timestamptz) returns jsonb
language sql stable security definer set search_path = '' as $$
  with timeline as materialized (
    select t.*, min(t.occurred_at) filter (where t.annual > 0) over (partition by t.user_id) as first_paid
    from private.subscription_timeline() t
    where t.occurred_at < to_at),
  at_end as (select * from timeline t where t.until_at >= to_at or t.until_at = 'infinity'),
  moved as (
    select t.currency, t.user_id, t.annual - t.annual_before as delta,
           case when t.annual_before = 0 and t.occurred_at = t.first_paid then 'new' when t.annual_before = 0 then 'reactivation'
                when t.annual = 0 then 'churn' when t.annual > t.annual_before then 'expansion' else 'contraction' end as kind
    from timeline t where t.occurred_at >= from_at and t.annual <> t.annual_before),
  currencies as (select distinct t.currency from timeline t),
  trials as (
    select t.subscription_id, min(t.occurred_at) as started, bool_or(t.annual > 0) as converted from timeline t
    group by t.subscription_id having bool_or(t.status = 'TRIALING') and min(t.occurred_at) >= from_at)
  select jsonb_build_object(
    'from', from_at, 'to', to_at,
    'currencies', (
      select coalesce(jsonb_agg(jsonb_build_object(
          'currency', c.currency,
          'mrr', private.money(e.mrr, c.currency), 'arr', private.money(e.arr, c.currency),
          'arpu', case when e.paying > 0 then private.money(round(e.annual / 12 / e.paying)::bigint, c.currency) end,
          'paying', e.paying, 'new', private.money(m.new, c.currency), 'reactivation', private.money(m.reactivation, c.currency),
          'expansion', private.money(m.expansion, c.currency), 'contraction', private.money(m.contraction, c.currency),
          'churn', private.money(m.churn, c.currency), 'churned', m.churned) order by c.currency), '[]')
      from currencies c
      cross join lateral (
        select coalesce(sum(a.annual), 0) as annual, round(coalesce(sum(a.annual), 0) / 12)::bigint as mrr,
               round(coalesce(sum(a.annual), 0))::bigint as arr, count(*) filter (where a.annual > 0) as paying
        from at_end a where a.currency = c.currency) e
      cross join lateral (
        select round(coalesce(sum(v.delta) filter (where v.kind = 'new'), 0) / 12)::bigint as new,
               round(coalesce(sum(v.delta) filter (where v.kind = 'reactivation'), 0) / 12)::bigint as reactivation,
               round(coalesce(sum(v.delta) filter (where v.kind = 'expansion'), 0) / 12)::bigint as expansion,
               round(coalesce(sum(v.delta) filter (where v.kind = 'contraction'), 0) / 12)::bigint as contraction,
               round(coalesce(sum(v.delta) filter (where v.kind = 'churn'), 0) / 12)::bigint as churn,
               count(*) filter (where v.kind = 'churn') as churned
        from moved v where v.currency = c.currency) m),
    'plans', (
      select coalesce(jsonb_agg(jsonb_build_object('plan_id', p.id, 'name', p.name, 'paying', g.paying, 'trialing', g.trialing, 'past_due', g.past_due)
                      order by p.name, p.id), '[]')
      from (
        select c.plan_id, count(*) filter (where a.annual > 0) as paying, count(*) filter (where a.status = 'TRIALING') as trialing,
               count(*) filter (where a.status = 'PAST_DUE') as past_due
        from at_end a join private.plan_price c on c.id = a.plan_price_id group by c.plan_id) g join private.plan p on p.id = g.plan_id),
    'trials', (select jsonb_build_object('started', count(*), 'converted', count(*) filter (where t.converted)) from trials t),
    'failed_payments', (
      select coalesce(jsonb_agg(jsonb_build_object('currency', f.currency, 'invoices', f.invoices, 'open', private.money(f.open, f.currency)) order by f.currency), '[]')
      from (
        select i.currency, count(*) as invoices, coalesce(sum(i.amount_remaining), 0)::bigint as open
        from private.invoice i where i.attempt_count > 0 and i.status in ('OPEN', 'UNCOLLECTIBLE') and i.created_at >= from_at and i.created_at < to_at
        group by i.currency) f));
$$;

-- How things stood at the end of a day (UTC). Taken again, it is the same, or better: a late event belongs to the day it happened on.
create or replace function public.take_subscription_snapshot(day date) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  until timestamptz := (day + 1)::timestamp at time zone 'UTC';
  made integer;
begin
  perform private.require_service();
  delete from private.subscription_snapshot s where s.day = take_subscription_snapshot.day;
  insert into private.subscription_snapshot (day, plan_price_id, currency, subscribers, trialing, past_due, annual_amount)
  select take_subscription_snapshot.day, t.plan_price_id, t.currency, count(*) filter (where t.annual > 0),
         count(*) filter (where t.status = 'TRIALING'), count(*) filter (where t.status = 'PAST_DUE'), round(sum(t.annual))::bigint
  from private.subscription_timeline() t
  where t.occurred_at < until and t.until_at >= until and t.status in ('TRIALING', 'ACTIVE', 'PAST_DUE')
  group by t.plan_price_id, t.currency;
  get diagnostics made = row_count;
  return private.answer(200, jsonb_build_object('rows', made));
end $$;
