-- What is given back of a payment, and what is taken back for it from those who had a share (docs/adr/068). A refund is a row first, then a
-- command, then what Stripe says of it; nobody but Stripe says that it has succeeded.

drop function if exists private.share_of(bigint, bigint, bigint);

-- What was or is about to be given back of a payment, and what is left: money, and account credit, which stays with the payer when the money that
-- went with it does not arrive. `taken` is what Stripe has taken back of the coach's transfer; `ahead` what of that it took with refunds that
-- failed, which it does not undo, as far as no later refund has made use of it.
create or replace function private.refund_totals(
  p private.payment, out money bigint, out credit bigint, out money_left bigint, out credit_left bigint, out taken bigint, out ahead bigint)
language sql stable security definer set search_path = '' as $$
  select t.money, t.credit, p.paid_amount - t.money, case when p.paid_at is null then 0 else p.credit_amount end - t.credit, t.taken,
         greatest(0, t.taken_in_vain - t.not_taken)
  from (
    select coalesce(sum(r.amount) filter (where live), 0)::bigint as money, coalesce(sum(r.credit_amount) filter (where live or r.stripe_refund_id is not null), 0)::bigint as credit,
           coalesce(sum(r.transfer_reversed_amount), 0)::bigint as taken,
           coalesce(sum(r.transfer_reversed_amount) filter (where not live), 0)::bigint as taken_in_vain,
           coalesce(sum(r.amount - r.transfer_reversed_amount) filter (where live), 0)::bigint as not_taken
    from (select f.*, f.status not in ('FAILED', 'CANCELED') as live from private.refund f where f.payment_id = p.id) r) t;
$$;

-- A share of the price as money and credit, in the proportion in which it was paid. Rounded on what is given back altogether, so that refunds in
-- parts end at exactly what was paid.
create or replace function private.refund_split(p private.payment, wanted bigint, out money bigint, out credit bigint)
language plpgsql stable security definer set search_path = '' as $$
declare
  t record := private.refund_totals(p);
begin
  money := private.half_up(p.charge_amount * (t.money + t.credit + wanted), p.amount, private.step_of(p.currency)) - t.money;
  money := least(greatest(money, wanted - t.credit_left, 0), t.money_left, wanted);
  credit := wanted - money;
end $$;

-- Of what a plan has paid no credit goes back, because none was spent: the session does, to the plan.
create or replace function private.payment_refund_json(r private.refund) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', r.id, 'payment_id', r.payment_id, 'status', r.status, 'reason', r.reason, 'note', r.note, 'initiator', r.initiator,
    'amount', private.money(r.amount, r.currency), 'credit', private.money(case when p.included then 0 else r.credit_amount end, r.currency),
    'included', p.included, 'failure_reason', r.failure_reason, 'succeeded_at', r.succeeded_at, 'created_at', r.created_at)
  from private.payment p where p.id = r.payment_id;
$$;

-- Why nothing of a payment can be given back, as an answer; null when something can.
create or replace function private.refund_refusal(p private.payment) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  t record := private.refund_totals(p);
begin
  return case
    when p.paid_at is null then private.refused(409, 'payment_not_paid', 'Nothing was paid yet, so nothing can be given back.')
    when exists (select 1 from private.dispute d where d.payment_id = p.id and not d.charge_refundable) then
      private.refused(409, 'payment_disputed', 'The payer has disputed this payment, and his bank decides about the money. Answer the dispute instead.')
    when t.money_left + t.credit_left = 0 then
      private.refused(409, 'payment_refunded', 'All of this payment has been given back, or is about to be.') end;
end $$;

-- Starts a refund of `wanted`, money and credit together, of a payment that is locked and can be refunded. `command` asks Stripe for the money;
-- it is null when there is only credit to give.
create or replace function private.start_refund(
  p private.payment, wanted bigint, reason public.refund_reason, initiator public.session_actor, requested_by uuid, note text,
  out made private.refund, out command jsonb)
language plpgsql volatile security definer set search_path = '' as $$
declare
  t record := private.refund_totals(p);
  split record := private.refund_split(p, wanted);
  taking bigint := case when p.stripe_account_id is null then 0 else split.money - least(split.money, t.ahead) end;
  -- All of it in one call of Stripe's, unless it would take from the coach what an earlier refund, which failed, has taken already.
  at_once boolean := taking = split.money and taking > 0;
begin
  insert into private.refund (payment_id, reason, note, initiator, requested_by, amount, credit_amount, currency, transfer_reversed_amount,
                              fee_reversed_amount, created_at, updated_at)
  values (p.id, reason, note, initiator, requested_by, split.money, split.credit, p.currency, taking,
          private.part_of_refund(p.application_fee_amount, p.charge_amount, t.taken, taking, p.currency),
          private.now(), private.now())
  returning * into made;
  insert into private.transfer_reversal (payment_id, refund_id, top_up, amount, currency, created_at)
  select p.id, made.id, r.top_up, r.amount, p.currency, private.now()
  from (values
    (true, private.half_up(p.top_up_amount * (t.money + t.credit + wanted), p.amount, private.step_of(p.currency)) - coalesce((
       select sum(v.amount) from private.transfer_reversal v where v.payment_id = p.id and v.top_up), 0)::bigint),
    (false, case when at_once then 0 else taking end)) r (top_up, amount)
  where r.amount > 0;
  if split.money > 0 then
    command := private.start_command('refund.create', requested_by, made.id, jsonb_build_object(
      'payment_intent', p.stripe_payment_intent_id, 'amount', split.money, 'reverse_transfer', at_once,
      'refund_application_fee', at_once and p.application_fee_amount > 0,
      'reason', case reason::text when 'DUPLICATE' then 'duplicate' when 'PAID_TWICE' then 'duplicate' when 'FRAUDULENT' then 'fraudulent'
                  else 'requested_by_customer' end));
  else
    perform private.accept_refund(made.id, null);
    select * into made from private.refund r where r.id = made.id;
  end if;
end $$;

-- As start_refund, of a payment that is not locked yet, by a rule of ours: what can be given back of `wanted` (null: of everything), as soon as
-- this transaction is committed. False when nothing can be.
create or replace function private.refund_soon(payment_id uuid, wanted bigint, reason public.refund_reason, note text default null) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  p private.payment;
  t record;
  started record;
begin
  perform private.hold_session_of(refund_soon.payment_id);
  select * into p from private.payment f where f.id = refund_soon.payment_id for update;
  t := private.refund_totals(p);
  wanted := least(coalesce(wanted, p.amount), t.money_left + t.credit_left);
  if wanted <= 0 or private.refund_refusal(p) is not null then
    return false;
  end if;
  started := private.start_refund(p, wanted, reason, 'SYSTEM', null, note);
  perform private.run_soon(started.command);
  return true;
end $$;

-- A command that nobody waits for is run by the consumer of this event, and if that is lost, by the janitor.
create or replace function private.run_soon(command jsonb) returns void
language sql volatile security definer set search_path = '' as $$
  select private.emit('StripeCommandWaiting', jsonb_build_object('commandId', command ->> 'id')) where command is not null;
$$;

-- What the policy owes the payer of a session that has been called off or missed (private.refund_percent), less what he has got back already.
-- Comes again when a dispute is won: meanwhile nothing could be given back.
create or replace function private.refund_session(s public.session) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  p private.payment;
  t record;
begin
  if coalesce(s.refund_amount, 0) = 0 then
    return;
  end if;
  for p in select * from private.payment f where f.session_id = s.id and f.paid_at is not null and not f.surplus order by f.id for update loop
    t := private.refund_totals(p);
    perform private.refund_soon(p.id, s.refund_amount - t.money - t.credit, case s.status::text when 'NO_SHOW' then 'NO_SHOW' else 'CANCELLATION' end::public.refund_reason);
  end loop;
end $$;

create or replace function private.refund_when_called_off() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform private.refund_session(new);
  return null;
end $$;

-- An ADMIN gives money back against or beyond the policy, and says why. `wanted` null is all that is left.
create or replace function public.begin_refund(payment_id uuid, wanted bigint, currency text, reason text, note text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('refund:create');
  answer jsonb := private.begin_idempotent();
  p private.payment;
  t record;
  started record;
begin
  if answer is not null then
    return private.refund_as_it_is(answer);
  end if;
  perform private.hold_session_of(payment_id);
  select * into p from private.payment f where f.id = payment_id for update;
  if p.id is null then
    perform private.refuse(404, 'not_found', 'There is no such payment.');
  end if;
  t := private.refund_totals(p);
  answer := coalesce(private.refund_refusal(p), case
    when p.included and wanted < p.amount then
      private.refused(422, 'included_session', 'A plan has paid this session, which goes back to it as a whole: leave the amount out.')
    when currency <> p.currency then private.refused(422, 'currency_mismatch', format('The payment was made in %s.', p.currency))
    when wanted > t.money_left + t.credit_left then private.refused(422, 'refund_exceeds_payment',
      format('Of this payment %s can still be given back, in minor units of %s.', t.money_left + t.credit_left, p.currency),
      jsonb_build_object('refundable', private.money(t.money_left + t.credit_left, p.currency))) end);
  if answer is not null then
    return private.end_idempotent(answer);
  end if;
  perform private.because(note);
  started := private.start_refund(p, coalesce(wanted, t.money_left + t.credit_left), reason::public.refund_reason, 'ADMIN', caller, note);
  return private.end_idempotent(private.answer(200, jsonb_build_object(
    'refund', private.payment_refund_json(started.made), 'command', started.command, 'error', null)));
end $$;

-- A repeated request: what has become of the refund, and its command only while nobody knows.
create or replace function private.refund_as_it_is(answer jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  c private.stripe_command;
begin
  if answer ? 'problem' or jsonb_typeof(answer #> '{body,command}') <> 'object' then
    return answer;
  end if;
  select * into c from private.stripe_command f where f.id = (answer #>> '{body,command,id}')::uuid;
  return private.answer(200, jsonb_build_object(
    'refund', (select private.payment_refund_json(r) from private.refund r where r.id = c.subject_id),
    'command', case when c.state = 'SENT' then private.command_json(c) end, 'error', c.error));
end $$;

create or replace function public.list_refunds(payment_id uuid, after_at timestamptz default null, after_id uuid default null, page_size integer default 25)
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('payment:read');
begin
  if not exists (select 1 from private.payment p where p.id = list_refunds.payment_id
                 and (caller in (p.mentee_id, p.coach_id) or private.caller_is('ADMIN'))) then
    perform private.refuse(404, 'not_found', 'There is no such payment.');
  end if;
  return (
    select coalesce(jsonb_agg(private.payment_refund_json(page.r) order by page.created_at desc, page.id desc), '[]')
    from (
      select r, r.created_at, r.id from private.refund r
      where r.payment_id = list_refunds.payment_id and (after_id is null or (r.created_at, r.id) < (after_at, after_id))
      order by r.created_at desc, r.id desc limit least(page_size, 101)) page);
end $$;

-- What Stripe answered to the command of a refund.
create or replace function private.finish_refund(refund_id uuid, stripe_id text, error text) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  if stripe_id is not null then
    perform private.accept_refund(refund_id, stripe_id);
  else
    update private.refund r set status = 'FAILED', failure_reason = error, transfer_reversed_amount = 0, fee_reversed_amount = 0
    where r.id = finish_refund.refund_id and r.stripe_refund_id is null;
    if found then
      delete from private.transfer_reversal v where v.refund_id = finish_refund.refund_id;
      perform private.tell_of_refund(refund_id, 'RefundFailed');
    end if;
  end if;
end $$;

-- Stripe has taken a refund: the credit that had paid a part goes back with it, and what Stripe has not taken from the coach by itself is asked for.
create or replace function private.accept_refund(refund_id uuid, stripe_id text) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  r private.refund;
  p private.payment;
begin
  perform private.hold_session_of((select f.payment_id from private.refund f where f.id = refund_id));
  select f.* into p from private.payment f join private.refund g on g.payment_id = f.id where g.id = refund_id for update of f;
  update private.refund f set
    stripe_refund_id = coalesce(f.stripe_refund_id, stripe_id),
    status = case when f.amount = 0 then 'SUCCEEDED' else f.status end, succeeded_at = case when f.amount = 0 then private.now() else f.succeeded_at end
  where f.id = refund_id returning * into r;
  if p.included and r.credit_amount = p.amount then
    update private.included_session i set returned_at = private.now() where i.session_id = p.session_id and i.returned_at is null;
  elsif r.credit_amount > 0 then
    perform private.return_credit(p.session_id, r.credit_amount, r.id::text);
  end if;
  perform private.start_reversals(p.id);
  perform private.weigh_payment(p.id);
  if r.amount = 0 then
    perform private.tell_of_refund(r.id, 'RefundSucceeded');
  end if;
end $$;

-- Before a payment is locked by whoever may give credit back for its session: sessions come before payments.
create or replace function private.hold_session_of(payment_id uuid) returns void
language sql volatile security definer set search_path = '' as $$
  select from public.session s where s.id = (select p.session_id from private.payment p where p.id = hold_session_of.payment_id) for key share;
$$;

create or replace function private.tell_of_refund(refund_id uuid, type text) returns void
language sql volatile security definer set search_path = '' as $$
  select private.emit(type, jsonb_build_object(
    'refundId', r.id, 'paymentId', p.id, 'sessionId', p.session_id, 'menteeId', p.mentee_id, 'coachId', p.coach_id, 'reason', r.reason,
    'amount', private.money(r.amount, r.currency), 'credit', private.money(case when p.included then 0 else r.credit_amount end, r.currency),
    'included', p.included, 'failureReason', r.failure_reason))
  from private.refund r join private.payment p on p.id = r.payment_id where r.id = refund_id;
$$;

-- A payment's status follows from what became of it: disputed at the bank (an inquiry is no chargeback), else given back, wholly or in part.
create or replace function private.weigh_payment(payment_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  given record;
begin
  select coalesce(sum(r.amount) filter (where r.status not in ('FAILED', 'CANCELED')), 0) as money, coalesce(sum(r.credit_amount), 0) as credit
  into given from private.refund r
  where r.payment_id = weigh_payment.payment_id and (r.stripe_refund_id is not null or r.amount = 0);
  update private.payment p set
    refunded_amount = given.money,
    status = case
      when exists (select 1 from private.dispute d where d.payment_id = p.id and d.kind = 'CHARGEBACK' and d.status not in ('WON', 'PREVENTED')) then 'DISPUTED'
      when given.money + given.credit = p.amount then 'REFUNDED' when given.money + given.credit > 0 then 'PARTIALLY_REFUNDED' else 'COMPLETED' end::public.payment_status
  where p.id = weigh_payment.payment_id and p.paid_at is not null;
end $$;
