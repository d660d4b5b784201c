-- Sessions on account: gathered, invoiced by Stripe, recorded. docs/payments.md#sessions-on-account has the table of what is charged.

create or replace function private.pays_by_invoice(person uuid) returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return (select u.payment_terms = 'INVOICE' from public.user_account u where u.id = person);
end $$;

-- A session that is not paid for when it is booked: by the terms its mentee had then.
create or replace function private.put_on_account(s public.session) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into private.session_on_account (session_id, mentee_id, coach_id, currency, created_at)
  values (s.id, s.mentee_id, s.coach_id, s.currency, private.now());
end $$;

-- What of a session's price is charged once it has ended: what a payment would not have given back. Null while it has not ended.
create or replace function private.chargeable(s public.session) returns bigint
language plpgsql stable set search_path = '' as $$
begin
  return case
    when s.status in ('COMPLETED', 'CANCELLED', 'NO_SHOW') then s.price_amount - coalesce(s.refund_amount, 0)
    when s.status = 'EXPIRED' then 0 end;
end $$;

-- One step of the monthly job, and one transaction: the next `batch` mentees' sessions that began before the end of `month` and have ended, one
-- invoice per mentee, coach and currency. What cannot be on it waits for the next month: a session that has not ended, one that ends when the
-- month's invoice has been made, what is below the least that Stripe charges, lines beyond the most that an invoice has, and what is owed to a
-- coach whom Stripe cannot pay yet, which is told as a failure.
create or replace function public.gather_session_invoices(month date, batch integer, after_id uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  until timestamptz := (month + interval '1 month')::timestamp at time zone 'UTC';
  moment timestamptz := private.now();
  most_lines constant integer := 250;
  mentees uuid[];
  answer jsonb;
begin
  perform private.require_service();
  mentees := array(
    select distinct a.mentee_id from private.session_on_account a
    where a.settled_at is null and (after_id is null or a.mentee_id > after_id) order by a.mentee_id limit batch);
  with ended as (
    select a.session_id, a.mentee_id, a.coach_id, a.currency, s.starts_at, s.price_amount, s.fee_amount, private.chargeable(s) as amount
    from private.session_on_account a join public.session s on s.id = a.session_id
    where a.settled_at is null and a.mentee_id = any (mentees) and s.starts_at < until and private.chargeable(s) is not null
    order by a.session_id for update of a),
  due as (
    select e.*, row_number() over (partition by e.mentee_id, e.coach_id, e.currency order by e.starts_at, e.session_id) as line,
           private.half_up(e.fee_amount * e.amount, e.price_amount, private.step_of(e.currency)) as fee
    from ended e where e.amount > 0),
  free as (
    update private.session_on_account a set amount = 0, fee = 0, settled_at = moment
    from ended e where e.session_id = a.session_id and e.amount = 0 returning a.session_id),
  wanted as (
    select d.mentee_id, d.coach_id, d.currency, sum(d.amount)::bigint as total, sum(d.fee)::bigint as fee,
           exists (select 1 from private.coach_account t where t.coach_id = d.coach_id and t.transfers_active) as payable
    from due d where d.line <= most_lines group by d.mentee_id, d.coach_id, d.currency),
  made as (
    insert into private.session_invoice as i (mentee_id, coach_id, currency, month, total, fee, created_at)
    select w.mentee_id, w.coach_id, w.currency, gather_session_invoices.month, w.total, w.fee, moment
    from wanted w join private.currency c on c.code = w.currency where w.payable and w.total >= c.minimum
    on conflict (mentee_id, coach_id, currency, month) do nothing returning i.id, i.mentee_id, i.coach_id, i.currency),
  charged as (
    update private.session_on_account a set amount = d.amount, fee = d.fee, session_invoice_id = m.id, settled_at = moment
    from due d join made m on m.mentee_id = d.mentee_id and m.coach_id = d.coach_id and m.currency = d.currency
    where d.session_id = a.session_id and d.line <= most_lines returning a.session_id)
  select jsonb_build_object(
    'counts', jsonb_build_object('invoices', (select count(*) from made), 'sessions', (select count(*) from charged), 'free', (select count(*) from free)),
    'failures', (
      select coalesce(jsonb_agg(jsonb_build_object('coach', w.coach_id, 'mentee', w.mentee_id, 'reason', 'Stripe cannot pay this coach yet')), '[]')
      from wanted w where not w.payable),
    'next', case when cardinality(mentees) = batch then mentees[batch] end)
  into answer;
  return private.answer(200, answer);
end $$;

-- Invoices that Stripe does not have yet, oldest first, each lent to one worker: `lease_seconds` are longer than a worker lives.
create or replace function public.claim_session_invoices(batch integer, lease_seconds integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  claimed jsonb;
begin
  perform private.require_service();
  with due as (
    select i.id from private.session_invoice i
    where i.sent_at is null and (i.claimed_until is null or i.claimed_until <= clock_timestamp())
    order by i.created_at, i.id limit batch for update skip locked),
  taken as (
    update private.session_invoice i
    set attempts = i.attempts + 1, claimed_until = clock_timestamp() + make_interval(secs => lease_seconds),
        first_tried_at = coalesce(i.first_tried_at, private.now())
    from due where i.id = due.id returning i.*)
  select coalesce(jsonb_agg(jsonb_build_object(
      'id', t.id, 'coach_id', t.coach_id, 'coach_name', private.display_name(t.coach_id), 'currency', t.currency, 'month', t.month,
      'total', t.total, 'fee', t.fee, 'attempts', t.attempts, 'first_tried_at', t.first_tried_at,
      'account', (select a.stripe_account_id from private.coach_account a where a.coach_id = t.coach_id),
      'days_until_due', private.setting('invoice_days_until_due', '14'),
      'customer', private.customer_json(t.mentee_id, t.created_at),
      'lines', (
        select jsonb_agg(jsonb_build_object('session_id', a.session_id, 'amount', a.amount, 'status', s.status, 'minutes', s.duration_minutes,
                                            'start', s.starts_at, 'end', s.ends_at, 'timezone', s.mentee_timezone) order by s.starts_at, s.id)
        from private.session_on_account a join public.session s on s.id = a.session_id where a.session_invoice_id = t.id)) order by t.created_at, t.id), '[]')
  into claimed from taken t;
  return private.answer(200, jsonb_build_object('invoices', claimed));
end $$;

-- What became of it: sent, or why not. What failed is tried again, later each time, at least once a day; the third time ADMINs are told.
create or replace function public.finish_session_invoice(invoice_id uuid, stripe_id text default null, failure text default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  mine private.session_invoice;
begin
  perform private.require_service();
  update private.session_invoice i set
    stripe_invoice_id = coalesce(i.stripe_invoice_id, stripe_id), error = left(failure, 500),
    sent_at = case when failure is null then private.now() end,
    claimed_until = case when failure is not null then clock_timestamp() + least(interval '1 day', interval '5 minutes' * (2 ^ least(i.attempts, 10))) end
  where i.id = invoice_id and i.sent_at is null returning * into mine;
  if failure is not null and mine.attempts >= 3 then
    perform private.give_notice('session_invoice', mine.id::text, 'failed', 'SessionInvoiceFailed', jsonb_build_object(
      'invoiceId', mine.id, 'menteeId', mine.mentee_id, 'coachId', mine.coach_id, 'reason', mine.error));
  end if;
  return private.answer(200, '{}');
end $$;

-- Whom Stripe knows, or is to know, as a customer.
create or replace function private.customer_json(person uuid, since timestamptz) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  return (
    select jsonb_build_object(
      'user_id', u.id, 'email', u.email, 'name', private.display_name(u.id), 'stripe_customer_id', b.stripe_customer_id,
      'since', coalesce(b.created_at, since))
    from public.user_account u left join private.billing_customer b on b.user_id = u.id where u.id = person);
end $$;

-- At the end of every transaction: an invoice is the sum of its sessions.
create or replace function private.hold_session_invoice() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  subject uuid := to_jsonb(new) ->> case tg_table_name when 'session_invoice' then 'id' else 'session_invoice_id' end;
  wrong text;
begin
  select format('its total is %s, and its %s sessions come to %s', i.total, count(a.session_id), coalesce(sum(a.amount), 0)) into wrong
  from private.session_invoice i left join private.session_on_account a on a.session_invoice_id = i.id
  where i.id = subject group by i.id having (i.total, i.fee) is distinct from (sum(a.amount), sum(a.fee));
  if wrong is not null then
    raise exception using errcode = '23514', message = format('session_invoice %s: %s', subject, wrong);
  end if;
  return null;
end $$;

-- What has been settled stays as it was.
create or replace function private.hold_settled_session() returns trigger
language plpgsql set search_path = '' as $$
begin
  if old.settled_at is not null then
    raise exception using errcode = '42501', message = format('session %s has been settled', old.session_id);
  end if;
  return coalesce(new, old);
end $$;
