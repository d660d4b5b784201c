-- Asks Stripe for what is still to be taken back of a payment's transfers, once there is something to take it from: the refund or dispute behind
-- it counts, and the transfer has been made. What was refused (an account without money) is asked again by retry_reversals.
create or replace function private.start_reversals(payment_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  p private.payment;
  v private.transfer_reversal;
  transfer text;
begin
  select * into p from private.payment f where f.id = start_reversals.payment_id;
  for v in
    select f.* from private.transfer_reversal f left join private.refund r on r.id = f.refund_id
    where f.payment_id = p.id and f.status = 'PENDING' and (r.id is null or r.stripe_refund_id is not null or r.amount = 0)
      and not exists (select 1 from private.stripe_command c where c.subject_id = f.id and c.state = 'SENT')
    order by f.created_at, f.id
  loop
    transfer := case when v.top_up then p.stripe_top_up_id else p.stripe_transfer_id end;
    if transfer is not null then
      perform private.run_soon(private.start_command('transfer.reverse', null, v.id, jsonb_build_object(
        'transfer', transfer, 'amount', v.amount,
        'refund_application_fee', not v.top_up and p.application_fee_amount > 0)));
    end if;
  end loop;
end $$;

create or replace function private.finish_reversal(reversal_id uuid, stripe_id text, error text) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  update private.transfer_reversal v set
    status = case when stripe_id is null then 'REFUSED' else 'DONE' end, stripe_reversal_id = stripe_id, failure_reason = left(error, 500)
  where v.id = reversal_id and v.status = 'PENDING';
end $$;

-- Each hour: what Stripe refused, and what could not be asked for yet. How many were asked for again.
create or replace function public.retry_reversals(batch integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  owed uuid;
  retried integer := 0;
begin
  perform private.require_service();
  for owed in
    select distinct v.payment_id from private.transfer_reversal v
    where v.status in ('PENDING', 'REFUSED') and v.failure_reason is distinct from 'nothing_left' and not exists (select 1 from private.stripe_command c where c.subject_id = v.id and c.state = 'SENT')
    limit batch
  loop
    perform 1 from private.payment p where p.id = owed for update;
    update private.transfer_reversal v set status = 'PENDING' where v.payment_id = owed and v.status = 'REFUSED' and v.failure_reason <> 'nothing_left';
    perform private.start_reversals(owed);
    retried := retried + 1;
  end loop;
  return private.answer(200, jsonb_build_object('retried', retried));
end $$;
