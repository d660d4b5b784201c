-- What Stripe says of payments. `rows` are coachline.payments.mirror's readings of payment intents, fetched after `seen` was read.
create or replace function public.mirror_payments(rows jsonb, seen bigint) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  -- All people first, in their order, as everybody who changes a session does.
  perform private.lock_payers(array(
    select unnest(array[p.coach_id, p.mentee_id]) from private.payment p, jsonb_array_elements(rows) r
    where p.id::text = r ->> 'payment_id' or p.stripe_payment_intent_id = r ->> 'stripe_payment_intent_id'));
  return private.answer(200, private.mirrored(array(
    select private.mirror_payment(r.value, seen) from (
      select value from jsonb_array_elements(rows) order by value ->> 'stripe_payment_intent_id') r)));
end $$;

-- As private.lock_people, but lets go of no hold: one that has run out and has not been let go of is nobody else's yet, and may be paid.
create or replace function private.lock_payers(people uuid[]) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform 1 from public.user_account u where u.id = any (people) order by u.id for no key update;
end $$;

create or replace function private.mirror_payment(row_ jsonb, seen bigint) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  p private.payment;
  s public.session;
  before private.payment;
  told public.payment_status := (row_ ->> 'status')::public.payment_status;
begin
  if not private.take_write(row_ ->> 'stripe_payment_intent_id', seen) then
    return jsonb_build_object('state', 'stale', 'id', row_ ->> 'stripe_payment_intent_id');
  end if;
  select * into p from private.payment f where f.stripe_payment_intent_id = row_ ->> 'stripe_payment_intent_id';
  if p.id is null then
    select * into p from private.payment f where f.id::text = row_ ->> 'payment_id';
  end if;
  -- Ours by what Stripe's object says of itself and by whose customer it is.
  if p.id is null or private.user_of_customer(row_ ->> 'customer', p.mentee_id) is distinct from p.mentee_id then
    return jsonb_build_object('state', 'unknown');
  end if;
  select * into s from public.session f where f.id = p.session_id for update;
  select * into p from private.payment f where f.id = p.id for update;
  if coalesce(p.stripe_payment_intent_id, row_ ->> 'stripe_payment_intent_id') <> row_ ->> 'stripe_payment_intent_id'
     or (p.status = 'CANCELED' and told <> 'CANCELED') then
    return private.mirror_surplus(p, row_);
  elsif p.surplus then
    return jsonb_build_object('state', 'written', 'changed', false);
  elsif (row_ ->> 'amount')::bigint <> p.charge_amount or row_ ->> 'currency' <> p.currency then
    -- Somebody has changed it in the Dashboard: nothing is concluded from it.
    return jsonb_build_object('state', 'mismatch', 'id', row_ ->> 'stripe_payment_intent_id');
  end if;

  before := p;
  update private.payment f set
    stripe_payment_intent_id = row_ ->> 'stripe_payment_intent_id',
    stripe_payment_method_id = coalesce(row_ ->> 'payment_method', f.stripe_payment_method_id),
    stripe_charge_id = case when told = 'COMPLETED' then coalesce(row_ ->> 'charge', f.stripe_charge_id) else f.stripe_charge_id end,
    stripe_transfer_id = coalesce(row_ ->> 'transfer', f.stripe_transfer_id),
    -- What has been settled is not turned back by what is told late.
    status = case when f.paid_at is null and private.payment_may_become(f.status::text, told::text) then told else f.status end,
    failure_code = case when f.paid_at is null then row_ ->> 'failure_code' else f.failure_code end,
    failure_message = case when f.paid_at is null then row_ ->> 'failure_message' else f.failure_message end,
    paid_amount = case when told = 'COMPLETED' then f.charge_amount else f.paid_amount end,
    paid_at = coalesce(f.paid_at, case when told = 'COMPLETED' then private.now() end),
    canceled_at = coalesce(f.canceled_at, case when told = 'CANCELED' then private.now() end)
  where f.id = p.id returning * into p;
  if before.status <> p.status and before.paid_at is null then
    perform private.payment_moved(before, p, s);
  end if;
  return jsonb_build_object('state', 'written', 'changed', before is distinct from p);
end $$;

-- What follows from a payment's new status.
create or replace function private.payment_moved(before private.payment, p private.payment, s public.session) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  case p.status::text
    when 'COMPLETED' then
      perform private.tell_of_payment(p, 'PaymentCompleted');
      if private.confirm_session(s) then
        perform private.start_top_up(p);
      else
        perform private.refund_soon(p.id, null, 'SLOT_LOST', 'The payment came when the time was no longer held.');
      end if;
    when 'PROCESSING' then
      perform private.extend_hold(s, s.starts_at - interval '24 hours');
    when 'FAILED' then
      perform private.tell_of_payment(p, 'PaymentDeclined');
      if before.status = 'PROCESSING' and s.status = 'PENDING_PAYMENT' then
        -- The bank has said no days later; whoever pays is not in front of the page any more.
        update public.session f set hold_expires_at = least(s.hold_expires_at, private.now() + interval '24 hours') where f.id = s.id;
        update private.payment f set hold_expires_at = least(f.hold_expires_at, private.now() + interval '24 hours') where f.id = p.id returning * into p;
        perform private.tell_of_payment(p, 'PaymentReturned');
      end if;
    when 'CANCELED' then
      perform private.return_credit(p.session_id);
      perform private.tell_of_payment(p, 'PaymentCanceled');
    else null;
  end case;
end $$;

create or replace function private.extend_hold(s public.session, until timestamptz) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  if s.status = 'PENDING_PAYMENT' and until > s.hold_expires_at then
    update public.session f set hold_expires_at = until where f.id = s.id;
    update private.payment f set hold_expires_at = until where f.session_id = s.id and f.status = 'PROCESSING';
  end if;
end $$;

-- Whether the session that was paid is on: one that was held; or one whose hold has run out, when nobody else has the time by now.
create or replace function private.confirm_session(s public.session) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  coach public.coach_profile;
  hours public.availability_schedule;
begin
  if s.status = 'EXPIRED' then
    select * into coach from public.coach_profile p where p.user_id = s.coach_id;
    hours.buffer_before := s.buffer_before;
    hours.buffer_after := s.buffer_after;
    if s.starts_at <= private.now() or not private.is_bookable(coach)
       or private.busy_json(s.coach_id, lower(s.blocked), upper(s.blocked)) <> '[]'
       or private.teaches_or_learns(s.coach_id, s.mentee_id, s.starts_at, s.ends_at, hours, s.id) then
      return false;
    end if;
  elsif s.status <> 'PENDING_PAYMENT' or private.session_refusal(s, 'confirm', 'SYSTEM', private.now()) is not null then
    return false;
  end if;
  begin
    perform private.move_session(s.id, 'SCHEDULED', 'SYSTEM', null, null);
  exception when exclusion_violation then
    return false;
  end;
  return true;
end $$;

-- A second payment of one session: kept as what it is, and given back.
create or replace function private.mirror_surplus(p private.payment, row_ jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  amount bigint := (row_ ->> 'amount')::bigint;
  fee bigint := coalesce((row_ ->> 'application_fee')::bigint, 0);
  made private.payment;
begin
  if row_ ->> 'status' <> 'COMPLETED' or row_ ->> 'currency' <> p.currency then
    return jsonb_build_object('state', 'unknown');
  end if;
  insert into private.payment (
    session_id, mentee_id, coach_id, status, amount, charge_amount, currency, fee_amount, application_fee_amount, paid_amount, surplus,
    stripe_account_id, stripe_payment_intent_id, stripe_charge_id, stripe_transfer_id, stripe_payment_method_id, paid_at, created_at, updated_at)
  values (
    p.session_id, p.mentee_id, p.coach_id, 'COMPLETED', amount, amount, p.currency, fee, fee, amount, true, row_ ->> 'destination',
    row_ ->> 'stripe_payment_intent_id', row_ ->> 'charge', row_ ->> 'transfer', row_ ->> 'payment_method', private.now(), private.now(), private.now())
  on conflict (stripe_payment_intent_id) do nothing returning * into made;
  if made.id is not null then
    perform private.tell_of_payment(made, 'PaymentCompleted');
    perform private.refund_soon(made.id, null, 'PAID_TWICE', 'The session had been paid already.');
  end if;
  return jsonb_build_object('state', 'written', 'changed', made.id is not null);
end $$;

create or replace function private.tell_of_payment(p private.payment, type text) returns void
language sql volatile security definer set search_path = '' as $$
  select private.emit(type, jsonb_build_object(
    'paymentId', p.id, 'sessionId', p.session_id, 'menteeId', p.mentee_id, 'coachId', p.coach_id,
    'amount', private.money(p.charge_amount, p.currency), 'credit', private.money(p.credit_amount, p.currency), 'failureCode', p.failure_code, 'dueBy', p.hold_expires_at));
$$;

-- Movements of the platform's balance, each once. `rows`: kind, amount, currency, stripe_id, balance_transaction_id, occurred_at, and whose they are:
-- payment_id, payment_intent, charge or transfer. How many were new, or are now known to belong to a payment or an invoice;
-- and how many charges belong to neither.
create or replace function public.record_movements(rows jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  fresh integer;
  known integer;
begin
  perform private.require_service();
  insert into private.money_movement as m (kind, amount, currency, stripe_id, balance_transaction_id, payment_id, occurred_at, recorded_at)
  select (r ->> 'kind')::public.movement_kind, (r ->> 'amount')::bigint, r ->> 'currency', r ->> 'stripe_id', r ->> 'balance_transaction_id',
         private.payment_of_movement(r), (r ->> 'occurred_at')::timestamptz, private.now()
  from jsonb_array_elements(rows) r order by r ->> 'stripe_id', r ->> 'kind'
  on conflict (stripe_id, kind) do update set payment_id = excluded.payment_id where m.payment_id is null and excluded.payment_id is not null;
  get diagnostics fresh = row_count;
  update private.money_movement m set invoice_id = private.invoice_of_charge(r ->> 'charge', r ->> 'payment_intent')
  from jsonb_array_elements(rows) r
  where m.stripe_id = r ->> 'stripe_id' and m.kind::text = r ->> 'kind' and m.payment_id is null and m.invoice_id is null
    and private.invoice_of_charge(r ->> 'charge', r ->> 'payment_intent') is not null;
  get diagnostics known = row_count;
  return private.answer(200, jsonb_build_object('changed', fresh + known, 'stale', '[]'::jsonb, 'unowned', (
    select count(*) from jsonb_array_elements(rows) r join private.money_movement m on m.stripe_id = r ->> 'stripe_id' and m.kind = 'CHARGE'
    where m.payment_id is null and m.invoice_id is null)));
end $$;

-- The invoice that a charge has paid: by its payment intent, or by what we know of the charge itself.
create or replace function private.invoice_of_charge(charge text, payment_intent text) returns uuid
language sql stable security definer set search_path = '' as $$
  select coalesce(
    (select i.id from private.invoice i where i.stripe_payment_intent_id = invoice_of_charge.payment_intent limit 1),
    (select m.invoice_id from private.money_movement m where m.stripe_id = invoice_of_charge.charge and m.kind = 'CHARGE'));
$$;

create or replace function private.payment_of_movement(row_ jsonb) returns uuid
language sql stable security definer set search_path = '' as $$
  select p.id from private.payment p
  where p.stripe_payment_intent_id = row_ ->> 'payment_intent' or p.stripe_charge_id = row_ ->> 'charge'
     or p.stripe_transfer_id = row_ ->> 'transfer' or p.stripe_top_up_id = row_ ->> 'transfer' or p.id::text = row_ ->> 'payment_id'
  order by (p.stripe_payment_intent_id = row_ ->> 'payment_intent' or p.stripe_charge_id = row_ ->> 'charge') desc limit 1;
$$;
