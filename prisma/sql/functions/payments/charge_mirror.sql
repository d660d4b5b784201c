-- What became of a charge after it had succeeded, as Stripe had it at one moment: its refunds, disputes, reversals, and all movements of the
-- platform's balance that they caused. One snapshot and one write, so that a refund that failed and the one in its place are never at odds.
-- "early": the payment itself is not mirrored as paid yet; it is fetched first, then this once more. "unowned": neither a payment of a session nor
-- an invoice that is known.
create or replace function public.mirror_charge(row_ jsonb, seen bigint) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  p private.payment;
  invoice uuid;
  each_ jsonb;
  changed boolean := false;
begin
  perform private.require_service();
  select * into p from private.payment f
  where f.stripe_charge_id = row_ ->> 'charge' or f.stripe_payment_intent_id = row_ ->> 'payment_intent' or f.stripe_top_up_id = row_ ->> 'top_up';
  perform private.hold_session_of(p.id);
  select * into p from private.payment f where f.id = p.id for update;
  if p.id is not null and p.paid_at is null then
    return private.answer(200, jsonb_build_object('state', 'early', 'changed', false, 'payment_intent', row_ ->> 'payment_intent'));
  end if;
  if not private.take_write(row_ ->> 'charge', seen) then
    return private.answer(200, jsonb_build_object('state', 'stale', 'changed', false));
  end if;
  invoice := case when p.id is null then private.invoice_of_charge(row_ ->> 'charge', row_ ->> 'payment_intent') end;
  if p.id is not null then
    -- Those that failed first: they make room for the others.
    for each_ in select value from jsonb_array_elements(row_ -> 'refunds') order by value ->> 'status' not in ('FAILED', 'CANCELED'), value ->> 'created_at' loop
      changed := private.mirror_refund(p, each_) or changed;
    end loop;
  end if;
  for each_ in select value from jsonb_array_elements(row_ -> 'disputes') order by value ->> 'opened_at' loop
    changed := private.mirror_dispute(p, each_) or changed;
  end loop;
  changed := private.mirror_movements(p, invoice, row_ -> 'movements') or changed;
  perform private.weigh_payment(p.id);
  perform private.settle_disputes(p.id, row_ -> 'disputes');
  return private.answer(200, jsonb_build_object('state', 'written', 'changed', changed, 'unowned', p.id is null and invoice is null,
    'payment_intent', row_ ->> 'payment_intent'));
end $$;

-- Ours by the id in its metadata; one without is somebody's in Stripe's Dashboard.
create or replace function private.mirror_refund(p private.payment, row_ jsonb) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  before private.refund;
  mine private.refund;
begin
  select * into before from private.refund r
  where r.payment_id = p.id and (r.stripe_refund_id = row_ ->> 'id' or (r.stripe_refund_id is null and r.id::text = row_ ->> 'refund_id')) for update;
  if before.id is null then
    insert into private.refund (payment_id, status, reason, initiator, amount, currency, transfer_reversed_amount, stripe_refund_id,
                                stripe_transfer_reversal_id, failure_reason, succeeded_at, created_at, updated_at)
    values (p.id, (row_ ->> 'status')::public.refund_status,
            case row_ ->> 'reason' when 'duplicate' then 'DUPLICATE' when 'fraudulent' then 'FRAUDULENT' else 'OTHER' end::public.refund_reason,
            'SYSTEM', (row_ ->> 'amount')::bigint, row_ ->> 'currency', (row_ ->> 'reversed')::bigint, row_ ->> 'id', row_ ->> 'transfer_reversal',
            row_ ->> 'failure_reason', case when row_ ->> 'status' = 'SUCCEEDED' then private.now() end, (row_ ->> 'created_at')::timestamptz, private.now())
    returning * into mine;
  else
    update private.refund r set
      status = (row_ ->> 'status')::public.refund_status, stripe_refund_id = row_ ->> 'id', stripe_transfer_reversal_id = row_ ->> 'transfer_reversal',
      failure_reason = row_ ->> 'failure_reason',
      succeeded_at = case when row_ ->> 'status' = 'SUCCEEDED' then coalesce(r.succeeded_at, private.now()) else r.succeeded_at end
    where r.id = before.id returning * into mine;
  end if;
  if mine.status is distinct from before.status and mine.status in ('SUCCEEDED', 'FAILED') then
    perform private.tell_of_refund(mine.id, case mine.status::text when 'FAILED' then 'RefundFailed' else 'RefundSucceeded' end);
  end if;
  return before is distinct from mine;
end $$;

create or replace function private.mirror_dispute(p private.payment, row_ jsonb) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  before private.dispute;
  mine private.dispute;
begin
  select * into before from private.dispute d where d.stripe_dispute_id = row_ ->> 'id' for update;
  insert into private.dispute as d (payment_id, stripe_dispute_id, stripe_charge_id, kind, status, reason, amount, currency, due_by,
                                    evidence_submitted_at, charge_refundable, opened_at, closed_at, created_at, updated_at)
  values (p.id, row_ ->> 'id', row_ ->> 'charge', (row_ ->> 'kind')::public.dispute_kind, row_ ->> 'status', row_ ->> 'reason',
          (row_ ->> 'amount')::bigint, row_ ->> 'currency', (row_ ->> 'due_by')::timestamptz,
          case when (row_ ->> 'submitted')::boolean then private.now() end, (row_ ->> 'refundable')::boolean, (row_ ->> 'opened_at')::timestamptz,
          case when (row_ ->> 'closed')::boolean then private.now() end, private.now(), private.now())
  on conflict (stripe_dispute_id) do update set
    payment_id = coalesce(d.payment_id, excluded.payment_id), kind = excluded.kind, status = excluded.status, reason = excluded.reason,
    amount = excluded.amount, due_by = excluded.due_by, charge_refundable = excluded.charge_refundable,
    -- An inquiry that has become a chargeback is answered anew; a dispute is reopened by an appeal.
    evidence_submitted_at = case when excluded.evidence_submitted_at is not null then coalesce(d.evidence_submitted_at, excluded.evidence_submitted_at) end,
    closed_at = case when excluded.closed_at is not null then coalesce(d.closed_at, excluded.closed_at) end
  returning * into mine;
  if before.id is null then
    perform private.tell_of_dispute(mine, 'DisputeOpened');
  elsif before.kind <> mine.kind then
    perform private.tell_of_dispute(mine, 'DisputeOpened', '{"escalated": true}');
  end if;
  if before.closed_at is null and mine.closed_at is not null then
    perform private.tell_of_dispute(mine, 'DisputeClosed');
  end if;
  return before is distinct from mine;
end $$;

drop function if exists private.mirror_movements(private.payment, jsonb);
create or replace function private.mirror_movements(p private.payment, invoice uuid, rows jsonb) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into private.money_movement as known (
    kind, amount, currency, stripe_id, balance_transaction_id, payment_id, invoice_id, refund_id, dispute_id, occurred_at, recorded_at)
  select (m ->> 'kind')::public.movement_kind, (m ->> 'amount')::bigint, m ->> 'currency', m ->> 'stripe_id', m ->> 'balance_transaction', p.id, invoice,
         coalesce((select r.id from private.refund r where r.stripe_refund_id = m ->> 'refund'),
                  (select v.refund_id from private.transfer_reversal v where v.stripe_reversal_id = m ->> 'stripe_id')),
         coalesce((select d.id from private.dispute d where d.stripe_dispute_id = m ->> 'dispute'),
                  (select v.dispute_id from private.transfer_reversal v where v.stripe_reversal_id = m ->> 'stripe_id')),
         (m ->> 'occurred_at')::timestamptz, private.now()
  from jsonb_array_elements(rows) m
  on conflict (stripe_id, kind) do update set invoice_id = excluded.invoice_id where known.invoice_id is null and excluded.invoice_id is not null;
  return found;
end $$;

-- What a decided dispute leads to, each time it is looked at and once for each dispute: lost, the coach's share comes back; won, what the policy
-- owed meanwhile is given back.
create or replace function private.settle_disputes(payment_id uuid, disputes jsonb) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  p private.payment;
  d private.dispute;
begin
  select * into p from private.payment f where f.id = payment_id;
  for d in
    select f.* from private.dispute f where f.payment_id = settle_disputes.payment_id and f.closed_at is not null order by f.opened_at
  loop
    if d.status = 'LOST' then
      perform private.take_back_lost(d, p);
    elsif jsonb_array_length(disputes) > 0 then
      perform private.refund_session(s) from public.session s where s.id = p.session_id;
    end if;
  end loop;
end $$;

-- Before a charge is fetched: how far the writes of the mirror are, and which further transfer was made because of it.
create or replace function public.charge_position(charge text) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_service();
  return jsonb_build_object(
    'seen', (select w.last_value from private.stripe_write w),
    'top_up', (select p.stripe_top_up_id from private.payment p where charge in (p.stripe_charge_id, p.stripe_top_up_id)));
end $$;

-- The charge that a transfer belongs to, also the transfer that account credit caused; the transfer itself when credit has paid alone; null when
-- it is none of ours.
create or replace function public.charge_of_transfer(transfer text) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_service();
  return to_jsonb((select coalesce(p.stripe_charge_id, p.stripe_top_up_id) from private.payment p
                   where transfer in (p.stripe_transfer_id, p.stripe_top_up_id) order by p.surplus limit 1));
end $$;
