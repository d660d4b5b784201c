-- The machine of a payment. What is settled is left only by refunds and disputes; an attempt that was declined may be followed by another.
-- A trigger holds every update to it, so late and repeated events cannot turn a payment back, whoever writes.
create or replace function private.payment_may_become(before text, after text) returns boolean
language sql immutable set search_path = '' as $$
  select case before
    when 'PENDING' then after in ('REQUIRES_ACTION', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELED')
    when 'REQUIRES_ACTION' then after in ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELED')
    when 'PROCESSING' then after in ('COMPLETED', 'FAILED', 'CANCELED')
    when 'FAILED' then after in ('PENDING', 'REQUIRES_ACTION', 'PROCESSING', 'COMPLETED', 'CANCELED')
    when 'COMPLETED' then after in ('PARTIALLY_REFUNDED', 'REFUNDED', 'DISPUTED')
    when 'PARTIALLY_REFUNDED' then after in ('COMPLETED', 'REFUNDED', 'DISPUTED')
    when 'REFUNDED' then after in ('COMPLETED', 'PARTIALLY_REFUNDED', 'DISPUTED')
    when 'DISPUTED' then after in ('COMPLETED', 'PARTIALLY_REFUNDED', 'REFUNDED')
    else false end;
$$;

create or replace function private.hold_payment_machine() returns trigger
language plpgsql set search_path = '' as $$
begin
  if not private.payment_may_become(old.status::text, new.status::text) then
    perform private.refuse(409, 'invalid_transition', format('A payment that is %s cannot become %s.', old.status, new.status));
  end if;
  return new;
end $$;

-- What was agreed on stays, and so do Stripe's names once they are known. The credit may be given back while nothing has been asked of Stripe.
create or replace function private.hold_payment_terms() returns trigger
language plpgsql set search_path = '' as $$
begin
  if (new.session_id, new.mentee_id, new.coach_id, new.amount, new.currency, new.fee_amount)
     is distinct from (old.session_id, old.mentee_id, old.coach_id, old.amount, old.currency, old.fee_amount)
    or (new.credit_amount <> old.credit_amount and (old.paid_at is not null or old.stripe_payment_intent_id is not null))
    or (old.stripe_payment_intent_id is not null and new.stripe_payment_intent_id is distinct from old.stripe_payment_intent_id)
    or (old.stripe_charge_id is not null and new.stripe_charge_id is distinct from old.stripe_charge_id and old.paid_at is not null)
    or (old.paid_at is not null and (new.paid_at, new.paid_amount) is distinct from (old.paid_at, old.paid_amount)) then
    perform private.refuse(409, 'terms_fixed', 'The terms of a payment are those of its session.');
  end if;
  return new;
end $$;

-- Never more is given back than was paid, also by two at once: each refund is written under the lock of its payment. One that Stripe knows is
-- held against those that Stripe knows: what we are asking for at this moment, and the Dashboard was faster with, Stripe will refuse.
create or replace function private.hold_refund_bound() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  p private.payment;
  given record;
begin
  if new.status in ('FAILED', 'CANCELED') then
    return new;
  end if;
  select * into p from private.payment f where f.id = new.payment_id for update;
  select coalesce(sum(r.amount), 0) as amount, coalesce(sum(r.credit_amount), 0) as credit into given
  from private.refund r where r.payment_id = p.id and r.id <> new.id and r.status not in ('FAILED', 'CANCELED')
    and (new.stripe_refund_id is null or r.stripe_refund_id is not null or r.amount = 0);
  if given.amount + new.amount > p.paid_amount or given.credit + new.credit_amount > p.credit_amount or new.currency <> p.currency then
    perform private.refuse(409, 'refund_exceeds_payment', format('Of %s %s paid, %s are given back already.', p.paid_amount, p.currency, given.amount));
  end if;
  return new;
end $$;

create or replace function private.hold_movement() returns trigger
language plpgsql set search_path = '' as $$
begin
  if to_jsonb(new) - '{payment_id,refund_id,dispute_id,invoice_id}'::text[] is distinct from to_jsonb(old) - '{payment_id,refund_id,dispute_id,invoice_id}'::text[]
     or not jsonb_strip_nulls(to_jsonb(new)) @> jsonb_strip_nulls(to_jsonb(old)) then
    raise exception using errcode = '42501', message = format('%s is append-only', tg_table_name);
  end if;
  return new;
end $$;
