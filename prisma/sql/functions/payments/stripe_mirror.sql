-- The mirror of Stripe, written by the service alone. Every write takes the next number of one sequence. Whoever mirrors reads how far that is,
-- then fetches objects from Stripe, one or a page of them, and says the number with the write: an object that has been written since is refused,
-- because the other may have fetched it later, and is fetched again. So no order of events can turn the mirror back.
drop function if exists public.stripe_writes(text[]), private.take_write(text, integer);
drop function if exists public.mirror_subscription(jsonb, integer), public.mirror_invoice(jsonb, integer);
drop function if exists public.mirror_payment_methods(text, jsonb, text, integer);

create or replace function public.stripe_write_position() returns bigint
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_service();
  return (select w.last_value from private.stripe_write w);
end $$;

create or replace function private.take_write(object_id text, seen bigint) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into private.stripe_object as o (id, last_write) values (object_id, nextval('private.stripe_write'))
  on conflict (id) do update set last_write = excluded.last_write where o.last_write <= seen;
  return found;
end $$;

-- Whose customer: by what we recorded, else by what we wrote into the object's metadata.
create or replace function private.user_of_customer(customer text, claimed uuid default null) returns uuid
language sql stable security definer set search_path = '' as $$
  select coalesce(
    (select b.user_id from private.billing_customer b where b.stripe_customer_id = customer),
    (select b.user_id from private.billing_customer b where b.user_id = claimed and b.stripe_customer_id is null));
$$;

-- `rows` are coachline.payments.mirror's readings of objects, fetched after `seen` was read. Sorted, so that two pages never wait for each other
-- crosswise. The answer counts what is written, what of that has changed and what is not of ours, and names what is stale.
create or replace function public.mirror_subscriptions(rows jsonb, seen bigint) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  return private.answer(200, private.mirrored(array(
    select private.mirror_subscription(r.value, seen) from (
      select value from jsonb_array_elements(rows) order by value ->> 'stripe_subscription_id') r)));
end $$;

create or replace function public.mirror_invoices(rows jsonb, seen bigint) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  return private.answer(200, private.mirrored(array(
    select private.mirror_invoice(r.value, seen) from (
      select value from jsonb_array_elements(rows) order by value ->> 'stripe_invoice_id') r)));
end $$;

create or replace function private.mirrored(outcomes jsonb[]) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_build_object(
    'written', count(*) filter (where o ->> 'state' = 'written'), 'changed', count(*) filter (where (o ->> 'changed')::boolean),
    'unknown', count(*) filter (where o ->> 'state' = 'unknown'),
    'unbalanced', coalesce(jsonb_agg(o ->> 'unbalanced') filter (where o ? 'unbalanced'), '[]'),
    'stale', coalesce(jsonb_agg(o ->> 'id') filter (where o ->> 'state' = 'stale'), '[]'))
  from unnest(outcomes) o;
$$;

create or replace function private.mirror_subscription(row_ jsonb, seen bigint) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  mine private.subscription;
  price private.plan_price;
  before private.subscription;
begin
  if not private.take_write(row_ ->> 'stripe_subscription_id', seen) then
    return jsonb_build_object('state', 'stale', 'id', row_ ->> 'stripe_subscription_id');
  end if;
  -- Ours by what Stripe's object says of itself and by whose customer it is; an id that a caller wrote into his row proves nothing.
  select * into mine from private.subscription s
  where s.id::text = row_ ->> 'subscription_id'
    and coalesce(s.stripe_subscription_id, row_ ->> 'stripe_subscription_id') = row_ ->> 'stripe_subscription_id'
    and s.user_id = private.user_of_customer(row_ ->> 'customer', s.user_id)
  for update;
  if mine.id is null then
    return jsonb_build_object('state', 'unknown');  -- not one of ours
  end if;
  select * into price from private.plan_price c where c.stripe_price_id = row_ ->> 'price';
  before := mine;
  update private.subscription s set
    stripe_subscription_id = row_ ->> 'stripe_subscription_id', status = (row_ ->> 'status')::public.subscription_status,
    plan_price_id = coalesce(price.id, s.plan_price_id), plan_id = coalesce(price.plan_id, s.plan_id),
    current_period_start = (row_ ->> 'current_period_start')::timestamptz, current_period_end = (row_ ->> 'current_period_end')::timestamptz,
    trial_end = (row_ ->> 'trial_end')::timestamptz, cancel_at = (row_ ->> 'cancel_at')::timestamptz,
    canceled_at = (row_ ->> 'canceled_at')::timestamptz, ended_at = (row_ ->> 'ended_at')::timestamptz,
    collection_paused = (row_ ->> 'collection_paused')::boolean, latest_invoice_id = row_ ->> 'latest_invoice_id',
    stripe_payment_method_id = row_ ->> 'payment_method'
  where s.id = mine.id returning * into mine;
  update private.billing_customer b set
    stripe_customer_id = coalesce(b.stripe_customer_id, row_ ->> 'customer'),
    currency = case when mine.status in ('CANCELED', 'INCOMPLETE_EXPIRED') then null else row_ ->> 'currency' end
  where b.user_id = mine.user_id;
  if before.status <> mine.status then
    perform private.emit('SubscriptionStatusChanged', jsonb_build_object(
      'subscriptionId', mine.id, 'userId', mine.user_id, 'planId', mine.plan_id, 'before', before.status, 'after', mine.status));
  end if;
  return jsonb_build_object('state', 'written', 'changed', before is distinct from mine);
end $$;

-- What an event says the subscription was at its moment: the history that reports are computed from.
create or replace function public.record_subscription_change(row_ jsonb, event_id text, occurred_at timestamptz) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  mine private.subscription;
begin
  perform private.require_service();
  select * into mine from private.subscription s where s.stripe_subscription_id = row_ ->> 'stripe_subscription_id';
  if mine.id is not null then
    insert into private.subscription_change (subscription_id, occurred_at, status, plan_price_id, collection_paused, event_id)
    values (mine.id, record_subscription_change.occurred_at, (row_ ->> 'status')::public.subscription_status,
            coalesce((select c.id from private.plan_price c where c.stripe_price_id = row_ ->> 'price'), mine.plan_price_id),
            (row_ ->> 'collection_paused')::boolean, record_subscription_change.event_id)
    on conflict (event_id) do nothing;
  end if;
  return private.answer(200, '{}');
end $$;

create or replace function private.mirror_invoice(row_ jsonb, seen bigint) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  person uuid := private.user_of_customer(row_ ->> 'customer');
  before private.invoice;
  mine private.invoice;
begin
  if not private.take_write(row_ ->> 'stripe_invoice_id', seen) then
    return jsonb_build_object('state', 'stale', 'id', row_ ->> 'stripe_invoice_id');
  end if;
  if person is null then
    return jsonb_build_object('state', 'unknown');
  end if;
  select * into before from private.invoice i where i.stripe_invoice_id = row_ ->> 'stripe_invoice_id' for update;
  insert into private.invoice as i (
    user_id, subscription_id, stripe_invoice_id, number, status, billing_reason, currency, subtotal, total, amount_due, amount_paid,
    amount_remaining, attempt_count, next_payment_attempt, period_start, period_end, paid_at, hosted_invoice_url, invoice_pdf_url, created_at,
    due_at, stripe_payment_intent_id, session_invoice_id)
  select person, (select s.id from private.subscription s where s.stripe_subscription_id = row_ ->> 'subscription'),
         r.stripe_invoice_id, r.number, r.status, r.billing_reason, r.currency, r.subtotal, r.total, r.amount_due, r.amount_paid,
         r.amount_remaining, r.attempt_count, r.next_payment_attempt, r.period_start, r.period_end, r.paid_at, r.hosted_invoice_url,
         r.invoice_pdf_url, r.created_at, r.due_at, r.stripe_payment_intent_id,
         (select o.id from private.session_invoice o where o.id::text = row_ ->> 'session_invoice_id' and o.mentee_id = person)
  from jsonb_populate_record(null::private.invoice, row_ - 'session_invoice_id') r
  on conflict (stripe_invoice_id) do update set
    subscription_id = coalesce(excluded.subscription_id, i.subscription_id), number = excluded.number, status = excluded.status,
    subtotal = excluded.subtotal, total = excluded.total, amount_due = excluded.amount_due, amount_paid = excluded.amount_paid,
    amount_remaining = excluded.amount_remaining, attempt_count = excluded.attempt_count, next_payment_attempt = excluded.next_payment_attempt,
    period_start = excluded.period_start, period_end = excluded.period_end, paid_at = excluded.paid_at,
    hosted_invoice_url = excluded.hosted_invoice_url, invoice_pdf_url = excluded.invoice_pdf_url, due_at = excluded.due_at,
    stripe_payment_intent_id = coalesce(excluded.stripe_payment_intent_id, i.stripe_payment_intent_id)
  returning * into mine;
  if before is distinct from mine or mine.status = 'DRAFT' then  -- what is final keeps its lines
    delete from private.invoice_line l where l.invoice_id = mine.id;
    insert into private.invoice_line (invoice_id, position, description, amount, quantity, proration, period_start, period_end, session_id)
    select mine.id, l.ordinality, l.value ->> 'description', (l.value ->> 'amount')::bigint, (l.value ->> 'quantity')::integer,
           (l.value ->> 'proration')::boolean, (l.value ->> 'period_start')::timestamptz, (l.value ->> 'period_end')::timestamptz,
           (select a.session_id from private.session_on_account a
            where a.session_id::text = l.value ->> 'session_id' and a.session_invoice_id = mine.session_invoice_id)
    from jsonb_array_elements(row_ -> 'lines') with ordinality l;
  end if;
  if mine.status = 'OPEN' and mine.attempt_count > 0 then
    perform private.give_notice('payment_failed', mine.stripe_invoice_id, mine.attempt_count::text, 'PaymentFailed', jsonb_build_object(
      'userId', person, 'invoiceId', mine.id, 'attempt', mine.attempt_count, 'nextAttempt', mine.next_payment_attempt,
      'amountDue', private.money(mine.amount_remaining, mine.currency)));
  end if;
  if mine.status = 'OPEN' and mine.due_at <= private.now() then
    perform private.give_notice('invoice_overdue', mine.stripe_invoice_id, mine.due_at::text, 'InvoiceOverdue', jsonb_build_object(
      'userId', person, 'invoiceId', mine.id, 'number', mine.number, 'dueAt', mine.due_at, 'amountDue', private.money(mine.amount_remaining, mine.currency)));
  end if;
  -- Not refused, because it is what Stripe says: a discount that somebody has put on a line, or a page of lines that was not read.
  return jsonb_build_object('state', 'written', 'changed', before is distinct from mine) || case
    when mine.subtotal <> (select coalesce(sum(l.amount), 0) from private.invoice_line l where l.invoice_id = mine.id)
    then jsonb_build_object('unbalanced', mine.stripe_invoice_id) else '{}' end;
end $$;

-- The methods that Stripe lists for a customer, and the default: those that are not listed any more are detached.
create or replace function public.mirror_payment_methods(customer text, methods jsonb, default_method text, seen bigint) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  person uuid := private.user_of_customer(customer);
begin
  perform private.require_service();
  if not private.take_write(customer, seen) then
    return private.answer(200, jsonb_build_object('state', 'stale'));
  end if;
  if person is null then
    return private.answer(200, jsonb_build_object('state', 'unknown'));
  end if;
  update private.payment_method m set detached_at = coalesce(m.detached_at, private.now()), is_default = false
  where m.user_id = person and (m.detached_at is null or m.is_default)
    and not exists (select 1 from jsonb_array_elements(methods) e where e ->> 'id' = m.stripe_payment_method_id);
  update private.payment_method m set is_default = false
  where m.user_id = person and m.is_default and m.stripe_payment_method_id is distinct from default_method;
  insert into private.payment_method as m (
    user_id, stripe_payment_method_id, type, brand, last4, fingerprint, expires_month, expires_year, is_default, created_at, updated_at)
  select person, e ->> 'id', e ->> 'type', e ->> 'brand', e ->> 'last4', e ->> 'fingerprint', (e ->> 'expires_month')::integer,
         (e ->> 'expires_year')::integer, (e ->> 'id') = coalesce(default_method, ''), (e ->> 'created_at')::timestamptz, private.now()
  from jsonb_array_elements(methods) e
  on conflict (stripe_payment_method_id) do update set
    brand = excluded.brand, last4 = excluded.last4, fingerprint = excluded.fingerprint, expires_month = excluded.expires_month, expires_year = excluded.expires_year,
    is_default = excluded.is_default, detached_at = null, updated_at = excluded.updated_at
  where (m.brand, m.last4, m.fingerprint, m.expires_month, m.expires_year, m.is_default, m.detached_at)
        is distinct from (excluded.brand, excluded.last4, excluded.fingerprint, excluded.expires_month, excluded.expires_year, excluded.is_default, null);
  return private.answer(200, jsonb_build_object('state', 'written'));
end $$;

-- A notice is given once, whoever finds the reason for it, and however often.
create or replace function private.give_notice(kind text, object_id text, step text, event text, payload jsonb) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into private.billing_notice (kind, object_id, step, given_at) values (kind, object_id, step, private.now()) on conflict do nothing;
  if not found then
    return false;
  end if;
  perform private.emit(event, payload);
  return true;
end $$;

-- An attempt that failed, which an event told of: the mirror notices only the latest. Nothing is said of what is paid or given up meanwhile.
create or replace function public.notice_failed_payment(stripe_invoice_id text, attempt integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  mine private.invoice;
begin
  perform private.require_service();
  select * into mine from private.invoice i where i.stripe_invoice_id = notice_failed_payment.stripe_invoice_id;
  if mine.status = 'OPEN' and attempt between 1 and mine.attempt_count then
    perform private.give_notice('payment_failed', stripe_invoice_id, attempt::text, 'PaymentFailed', jsonb_build_object(
      'userId', mine.user_id, 'invoiceId', mine.id, 'attempt', attempt, 'amountDue', private.money(mine.amount_remaining, mine.currency),
      'nextAttempt', case when attempt = mine.attempt_count then mine.next_payment_attempt end));
  end if;
  return private.answer(200, '{}');
end $$;

create or replace function public.notice_trial_end(stripe_subscription_id text, ends_at timestamptz) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  mine private.subscription;
begin
  perform private.require_service();
  select * into mine from private.subscription s where s.stripe_subscription_id = notice_trial_end.stripe_subscription_id;
  if mine.id is not null then
    perform private.give_notice('trial_end', stripe_subscription_id, ends_at::text, 'TrialEnding', jsonb_build_object(
      'userId', mine.user_id, 'subscriptionId', mine.id, 'endsAt', ends_at,
      'hasPaymentMethod', exists (select 1 from private.payment_method m where m.user_id = mine.user_id and m.detached_at is null)));
  end if;
  return private.answer(200, '{}');
end $$;

-- Cards that end this month or next and pay for a live subscription, each once; and how many there were.
create or replace function public.notice_expiring_cards(now_at timestamptz) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  given integer;
begin
  perform private.require_service();
  select count(*) into given from (
    select private.give_notice('card_expiry', m.stripe_payment_method_id, m.expires_year || '-' || m.expires_month, 'CardExpiring',
             jsonb_build_object('userId', m.user_id, 'paymentMethodId', m.id, 'month', m.expires_month, 'year', m.expires_year)) as fresh
    from private.payment_method m
    where m.detached_at is null and m.is_default
      and make_date(m.expires_year, m.expires_month, 1) <= (date_trunc('month', now_at at time zone 'UTC') + interval '1 month')::date
      and exists (select 1 from private.subscription s where s.user_id = m.user_id and s.status in ('TRIALING', 'ACTIVE', 'PAST_DUE'))) n
  where n.fresh;
  return private.answer(200, jsonb_build_object('given', given));
end $$;

create or replace function public.get_cursor(name text) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_service();
  return to_jsonb((select c.position from private.provider_cursor c where c.name = get_cursor.name));
end $$;

create or replace function public.set_cursor(name text, reached text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  insert into private.provider_cursor (name, position, updated_at) values (set_cursor.name, set_cursor.reached, private.now())
  on conflict on constraint provider_cursor_pkey do update set position = excluded.position, updated_at = excluded.updated_at;
  return private.answer(200, '{}');
end $$;
