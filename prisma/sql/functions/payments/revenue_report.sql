-- What has come in, gone back and been taken back, each at its own instant: all that reports and snapshots of revenue are made of.
-- `gross` is what was charged, `credits` what account credit or a plan covered of prices, `fees` the platform's share of prices. Coaches get the
-- rest: gross + credits - fees. A chargeback takes its amount when it is opened, and gives it back when it is won. Subscriptions have no coach.
-- What went back of invoices is what it moved of the platform's balance, in the currency that Stripe settles in. Of the platform's share: of an
-- invoice of sessions the fee that was reversed, of a subscription's all of it.
create or replace function private.revenue_entries(from_at timestamptz, to_at timestamptz, wanted_coach uuid default null)
returns table (at timestamptz, coach_id uuid, currency text, sessions bigint, gross bigint, credits bigint, fees bigint,
               refunds bigint, fees_refunded bigint, disputes bigint)
language sql stable security definer set search_path = '' as $$
  select p.paid_at, p.coach_id, p.currency, 1, p.paid_amount, p.amount - p.paid_amount, p.fee_amount, 0, 0, 0
  from private.payment p
  where p.paid_at >= from_at and p.paid_at < to_at and (wanted_coach is null or p.coach_id = wanted_coach)
  union all
  select i.paid_at, o.coach_id, o.currency, (select count(*) from private.session_on_account a where a.session_invoice_id = o.id), o.total, 0, o.fee, 0, 0, 0
  from private.invoice i join private.session_invoice o on o.id = i.session_invoice_id
  where i.status = 'PAID' and i.paid_at >= from_at and i.paid_at < to_at and (wanted_coach is null or o.coach_id = wanted_coach)
  union all
  select i.paid_at, null, i.currency, 0, i.amount_paid, 0, i.amount_paid, 0, 0, 0
  from private.invoice i
  where i.status = 'PAID' and i.session_invoice_id is null and i.paid_at >= from_at and i.paid_at < to_at and wanted_coach is null
  union all
  select r.succeeded_at, p.coach_id, r.currency, 0, 0, -r.credit_amount, 0, r.amount, r.fee_reversed_amount, 0
  from private.refund r join private.payment p on p.id = r.payment_id
  where r.status = 'SUCCEEDED' and r.succeeded_at >= from_at and r.succeeded_at < to_at and (wanted_coach is null or p.coach_id = wanted_coach)
  union all
  select m.occurred_at, o.coach_id, m.currency, 0, 0, 0, 0, case when m.kind = 'FEE_REVERSAL' then 0 else -m.amount end,
         case when (m.kind = 'FEE_REVERSAL') = (o.id is not null) then -m.amount else 0 end, 0
  from private.money_movement m join private.invoice i on i.id = m.invoice_id left join private.session_invoice o on o.id = i.session_invoice_id
  where m.kind in ('REFUND', 'REFUND_FAILURE', 'FEE_REVERSAL') and m.occurred_at >= from_at and m.occurred_at < to_at
    and (wanted_coach is null or o.coach_id = wanted_coach)
  union all
  select e.at, coalesce(p.coach_id, o.coach_id), d.currency, 0, 0, 0, 0, 0, 0, e.taken
  from private.dispute d left join private.payment p on p.id = d.payment_id
  left join private.invoice i on p.id is null and i.id = private.invoice_of_charge(d.stripe_charge_id, null)
  left join private.session_invoice o on o.id = i.session_invoice_id
  cross join lateral (values (d.opened_at, d.amount), (case when d.status in ('WON', 'PREVENTED') then d.closed_at end, -d.amount)) e (at, taken)
  where d.kind = 'CHARGEBACK' and e.at >= from_at and e.at < to_at and (wanted_coach is null or coalesce(p.coach_id, o.coach_id) = wanted_coach);
$$;

-- By coach and currency, and by day, week or month (UTC) if `step` says so; a coach sees his own. Currencies are never summed.
create or replace function public.get_revenue_report(
  from_at timestamptz, to_at timestamptz, step text default 'total', wanted_coach uuid default null, wanted_currency text default null) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  caller uuid := private.require_caller('revenue:read');
  most constant integer := 5000;
  report jsonb;
begin
  if not private.caller_is('ADMIN') then
    if wanted_coach is distinct from caller and wanted_coach is not null then
      perform private.refuse(404, 'not_found', 'There is no such coach.');
    end if;
    wanted_coach := caller;
  end if;
  with entry as (
    select e.*, case when step = 'total' then from_at else greatest(from_at, date_trunc(step, e.at, 'UTC')) end as period
    from private.revenue_entries(from_at, to_at, wanted_coach) e where wanted_currency is null or e.currency = wanted_currency),
  figures as (
    select grouping(e.period) = 0 as single, e.period, e.coach_id, e.currency, sum(e.sessions)::bigint as sessions, sum(e.gross)::bigint as gross,
           sum(e.credits)::bigint as credits, sum(e.fees)::bigint as fees, (sum(e.gross) + sum(e.credits) - sum(e.fees))::bigint as coach_share,
           sum(e.refunds)::bigint as refunds, sum(e.fees_refunded)::bigint as fees_refunded, sum(e.disputes)::bigint as disputes
    from entry e group by grouping sets ((e.period, e.coach_id, e.currency), (e.currency))),
  shown as (
    select f.single, f.period, f.coach_id, f.currency, jsonb_build_object(
      'currency', f.currency, 'sessions', f.sessions, 'gross', private.money(f.gross, f.currency), 'credits', private.money(f.credits, f.currency),
      'fees', private.money(f.fees, f.currency), 'coach_share', private.money(f.coach_share, f.currency),
      'refunds', private.money(f.refunds, f.currency), 'fees_refunded', private.money(f.fees_refunded, f.currency),
      'disputes', private.money(f.disputes, f.currency)) as money
    from figures f)
  select jsonb_build_object('from', from_at, 'to', to_at, 'interval', step,
    'rows', (
      select coalesce(jsonb_agg(s.money || jsonb_build_object('period_start', s.period, 'coach_id', s.coach_id, 'coach_name', private.display_name(s.coach_id))
                                order by s.period, s.currency, s.coach_id nulls last), '[]')
      from (select * from shown where single limit most + 1) s),
    'totals', (select coalesce(jsonb_agg(s.money order by s.currency), '[]') from shown s where not s.single))
  into report;
  if jsonb_array_length(report -> 'rows') > most then
    perform private.refuse(422, 'report_too_large', format('This report has more than %s rows. Choose a coach, a currency, a longer interval or a shorter period.', most));
  end if;
  return report;
end $$;

-- The days from one to another (UTC, both included). Taken again they are the same, or better: what is told late belongs to the day it happened on.
create or replace function public.take_revenue_snapshot(from_day date, to_day date) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  made integer;
begin
  perform private.require_service();
  delete from private.revenue_snapshot s where s.day between from_day and to_day;
  insert into private.revenue_snapshot (day, coach_id, currency, sessions, gross, credits, fees, refunds, fees_refunded, disputes)
  select (e.at at time zone 'UTC')::date, e.coach_id, e.currency, sum(e.sessions), sum(e.gross), sum(e.credits), sum(e.fees), sum(e.refunds),
         sum(e.fees_refunded), sum(e.disputes)
  from private.revenue_entries(from_day::timestamp at time zone 'UTC', (to_day + 1)::timestamp at time zone 'UTC') e
  group by 1, 2, 3;
  get diagnostics made = row_count;
  return private.answer(200, jsonb_build_object('rows', made));
end $$;
