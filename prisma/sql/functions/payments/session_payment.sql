-- Payments of sessions (docs/payments.md). Made with the booking, paid at Stripe, and true when Stripe says so: everything that moves a payment on
-- is mirror_payments, but for what never reaches Stripe. Locks: both people in the order of their ids, then the session, then the payment.

create or replace function private.payment_json(p private.payment) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', p.id, 'session_id', p.session_id, 'mentee_id', p.mentee_id, 'coach_id', p.coach_id, 'status', p.status,
    'amount', private.money(p.amount, p.currency), 'credit', private.money(case when p.included then 0 else p.credit_amount end, p.currency),
    'included', p.included, 'charged', private.money(p.charge_amount, p.currency),
    'paid', private.money(p.paid_amount, p.currency), 'refunded', private.money(p.refunded_amount, p.currency),
    -- What the platform keeps is between it and the coach.
    'fee', case when p.coach_id = private.caller_id() or private.caller_is('ADMIN') then private.money(p.fee_amount, p.currency) end,
    'failure_code', p.failure_code, 'hold_expires_at', p.hold_expires_at, 'paid_at', p.paid_at, 'canceled_at', p.canceled_at,
    'version', p.version, 'created_at', p.created_at, 'updated_at', p.updated_at);
$$;

create or replace function public.list_payments(
  wanted_session uuid default null, wanted_status text default null,
  after_at timestamptz default null, after_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('payment:read');
  everyones boolean := private.caller_is('ADMIN');
begin
  return (
    select coalesce(jsonb_agg(private.payment_json(page.p) order by page.created_at desc, page.id desc), '[]')
    from (
      select p, p.created_at, p.id from private.payment p
      where (everyones or p.mentee_id = caller or p.coach_id = caller)
        and (wanted_session is null or p.session_id = wanted_session) and (wanted_status is null or p.status::text = wanted_status)
        and (after_id is null or (p.created_at, p.id) < (after_at, after_id))
      order by p.created_at desc, p.id desc limit least(page_size, 101)) page);
end $$;

create or replace function public.get_payment(payment_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('payment:read');
  wanted private.payment;
begin
  select * into wanted from private.payment p where p.id = payment_id and (caller in (p.mentee_id, p.coach_id) or private.caller_is('ADMIN'));
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such payment.');
  end if;
  return private.payment_json(wanted);
end $$;

-- ---- Made with the booking

-- Whether the platform's fee is waived: by the plan of either side.
create or replace function private.fee_waived(one uuid, other uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (
    select 1 from private.subscription s join private.plan p on p.id = s.plan_id
    where s.user_id in (one, other) and private.is_entitled(s) and p.fee_waived);
$$;

-- The month, in UTC, in which a session is booked is the one whose included sessions it uses up (docs/adr/065).
create or replace function private.entitlement_month(at timestamptz) returns date
language sql immutable set search_path = '' as $$
  select date_trunc('month', at at time zone 'UTC')::date;
$$;

-- The subscription whose plan includes one more session this month, or null. The caller holds the lock of the person.
create or replace function private.including_subscription(person uuid, at timestamptz) returns uuid
language sql stable security definer set search_path = '' as $$
  select s.id from private.subscription s join private.plan p on p.id = s.plan_id
  where s.user_id = person and private.is_entitled(s)
    and p.included_sessions_per_month > (
      select count(*) from private.included_session i
      where i.user_id = person and i.month = private.entitlement_month(at) and i.returned_at is null)
  order by s.created_at desc limit 1;
$$;

create or replace function private.return_included_session() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  update private.included_session i set returned_at = private.now() where i.session_id = new.id and i.returned_at is null;
  return null;
end $$;

-- How much of an amount his credit pays: all of it, or no more than leaves an amount that can be charged.
create or replace function private.credit_to_take(person uuid, amount bigint, currency text) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  account public.credit_account := private.lock_credit(person, currency);
  smallest bigint := (select c.minimum from private.currency c where c.code = currency);
begin
  return case when account.balance >= amount then amount else greatest(least(account.balance, amount - smallest), 0) end;
end $$;

-- The payment of a session that has just been written, in the same transaction: what is left to be charged is 0 when a plan or credit covers it all.
create or replace function private.make_payment(s public.session, subscription uuid, method private.payment_method) returns private.payment
language plpgsql volatile security definer set search_path = '' as $$
declare
  credit bigint;
  made private.payment;
begin
  if subscription is not null then
    insert into private.included_session (session_id, user_id, subscription_id, month, taken_at)
    values (s.id, s.mentee_id, subscription, private.entitlement_month(private.now()), private.now());
    credit := s.price_amount;
  else
    credit := private.take_credit(s.mentee_id, s.currency, private.credit_to_take(s.mentee_id, s.price_amount, s.currency), s.id);
  end if;
  insert into private.payment (
    session_id, mentee_id, coach_id, status, amount, credit_amount, included, charge_amount, currency, fee_amount, application_fee_amount,
    top_up_amount, stripe_account_id, stripe_payment_method_id, hold_expires_at, paid_at, created_at, updated_at)
  select s.id, s.mentee_id, s.coach_id, (case when credit = s.price_amount then 'COMPLETED' else 'PENDING' end)::public.payment_status,
         s.price_amount, credit, subscription is not null, s.price_amount - credit, s.currency, s.fee_amount, greatest(s.fee_amount - credit, 0),
         greatest(credit - s.fee_amount, 0), a.stripe_account_id, method.stripe_payment_method_id,
         case when credit < s.price_amount then s.hold_expires_at end, case when credit = s.price_amount then private.now() end,
         private.now(), private.now()
  from private.coach_account a where a.coach_id = s.coach_id
  returning * into made;
  return made;
end $$;

-- What a bank needs days to pay would leave a session unpaid when it begins.
create or replace function private.is_slow(method_type text) returns boolean
language sql immutable set search_path = '' as $$
  select method_type in ('us_bank_account', 'sepa_debit');
$$;

create or replace function private.slow_refusal(method private.payment_method, starts_at timestamptz) returns jsonb
language sql stable security definer set search_path = '' as $$
  select private.refused(422, 'payment_method_too_slow', 'A bank needs days to pay: a session in less than 7 days is paid with a card or Link.')
  where private.is_slow(method.type) and starts_at < private.now() + interval '7 days';
$$;

-- Why a session that costs something cannot be booked, whatever the hours say.
create or replace function private.payment_refusal(coach uuid, method private.payment_method, starts_at timestamptz) returns jsonb
language sql stable security definer set search_path = '' as $$
  select case
    when not exists (select 1 from private.coach_account a where a.coach_id = coach and a.transfers_active) then
      private.refused(409, 'payouts_not_ready', 'This coach cannot be paid at present, and so not be booked.')
    else private.slow_refusal(method, starts_at) end;
$$;

create or replace function private.booked_payment_json(p private.payment) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_build_object('id', p.id, 'status', p.status) where p.id is not null;
$$;

-- What has to be asked of Stripe for a booking: by its caller, who waits for the answer; or by nobody in particular.
create or replace function private.pay_for(p private.payment, s public.session) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  if p.status = 'PENDING' then
    return private.start_payment(p, s.starts_at);
  elsif p.id is not null then
    perform private.start_top_up(p);
  end if;
  return null;
end $$;

-- A saved method of the person's, or 404.
create or replace function private.own_payment_method(person uuid, payment_method_id uuid) returns private.payment_method
language plpgsql stable security definer set search_path = '' as $$
declare
  method private.payment_method;
begin
  select * into method from private.payment_method m where m.id = payment_method_id and m.user_id = person and m.detached_at is null;
  if method.id is null and payment_method_id is not null then
    perform private.refuse(404, 'not_found', 'There is no such payment method.');
  end if;
  return method;
end $$;

-- The command that opens the payment at Stripe, and pays it at once when a method was chosen.
create or replace function private.start_payment(p private.payment, starts_at timestamptz) returns jsonb
language sql volatile security definer set search_path = '' as $$
  select private.start_command('payment.create', p.mentee_id, p.id, jsonb_build_object(
    'amount', p.charge_amount, 'currency', p.currency, 'application_fee', p.application_fee_amount, 'destination', p.stripe_account_id,
    'session_id', p.session_id, 'payment_method', p.stripe_payment_method_id, 'fast', starts_at < private.now() + interval '7 days'));
$$;

-- Whether the platform still has to pay the coach what credit or a plan has covered beyond its own fee.
create or replace function private.owes_top_up(p private.payment) returns boolean
language sql immutable set search_path = '' as $$
  select p.top_up_amount > 0 and p.stripe_top_up_id is null and p.stripe_account_id is not null and p.paid_at is not null and not p.surplus
    and p.status <> 'REFUNDED';
$$;

-- It pays him; nobody waits for it.
create or replace function private.start_top_up(p private.payment) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  if private.owes_top_up(p) then
    -- Of the session, of which there is one such transfer: about the payment something else may be asked at this moment.
    perform private.run_soon(private.start_command('transfer.create', null, p.session_id, jsonb_build_object(
      'amount', p.top_up_amount, 'currency', p.currency, 'destination', p.stripe_account_id, 'payment_id', p.id)));
  end if;
end $$;

-- Whether a session has been paid, with whatever.
create or replace function private.is_paid(session_id uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select 1 from private.payment p where p.session_id = is_paid.session_id and p.paid_at is not null and not p.surplus);
$$;

-- Each hour: coaches who could not be paid then. `overdue`: who could receive it and has waited for a day, so that the platform's balance is short.
create or replace function public.retry_top_ups(batch integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  p private.payment;
  retried integer := 0;
begin
  perform private.require_service();
  for p in
    select * from private.payment f
    where private.owes_top_up(f)
      and not exists (select 1 from private.stripe_command c where c.subject_id = f.session_id and c.state = 'SENT')
    order by f.paid_at limit batch for update skip locked
  loop
    perform private.start_top_up(p);
    retried := retried + 1;
  end loop;
  return private.answer(200, jsonb_build_object('retried', retried, 'overdue', (
    select count(*) from private.payment f join private.coach_account a on a.coach_id = f.coach_id and a.transfers_active
    where private.owes_top_up(f) and f.paid_at < private.now() - interval '1 day')));
end $$;

-- ---- Paid again, or for the first time

-- What a replayed booking needs to hand out its client secret again, which is never stored.
create or replace function public.get_payment_to_make(payment_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('session:book');
begin
  return (
    select jsonb_build_object(
      'payment', private.payment_json(p), 'stripe_payment_intent_id', p.stripe_payment_intent_id,
      'command', (select private.command_json(c) from private.stripe_command c
                  where c.subject_id = p.id and c.state = 'SENT' and c.kind = 'payment.create'))
    from private.payment p where p.id = payment_id and p.mentee_id = caller);
end $$;

-- Pays a session that waits for it with another method; without one, what the payment page needs. Of two tabs one is told to wait.
create or replace function public.begin_payment(session_id uuid, payment_method_id uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('payment:make');
  answer jsonb := private.begin_idempotent();
  s public.session;
  p private.payment;
  method private.payment_method;
  running private.stripe_command;
  command jsonb;
begin
  if answer is not null then
    return answer;
  end if;
  select * into s from public.session f where f.id = session_id and f.mentee_id = caller;
  if s.id is null then
    perform private.refuse(404, 'not_found', 'There is no such session.');
  end if;
  perform private.lock_people(s.coach_id, s.mentee_id);
  select * into s from public.session f where f.id = s.id for update;
  select * into p from private.payment f where f.session_id = s.id and f.status <> 'CANCELED' and not f.surplus for update;
  method := private.own_payment_method(caller, payment_method_id);
  select * into running from private.stripe_command c where c.subject_id = p.id and c.state = 'SENT';
  answer := case
    when p.paid_at is not null then private.refused(409, 'already_paid', 'This session is paid.')
    when p.status = 'PROCESSING' then private.refused(409, 'payment_in_progress', 'The bank is still working on the payment. It takes a few days.')
    when s.status <> 'PENDING_PAYMENT' or p.id is null then
      private.refused(409, 'not_payable', format('A session that is %s cannot be paid. Book it again.', s.status))
    when method.id is not null then private.slow_refusal(method, s.starts_at) end;
  if answer is not null then
    return private.end_idempotent(answer);
  end if;
  if p.stripe_payment_intent_id is null then
    -- Opened by whoever comes first: Stripe knows the command by its key.
    command := case when running.kind = 'payment.create' then private.command_json(running) else private.start_payment(p, s.starts_at) end;
  elsif method.id is not null then
    command := private.start_command('payment.confirm', caller, p.id, jsonb_build_object(
      'payment_intent', p.stripe_payment_intent_id, 'payment_method', method.stripe_payment_method_id));
  end if;
  -- A repeated request gets no command: it asks how things are.
  perform private.end_idempotent(private.answer(201, jsonb_build_object(
    'payment', private.payment_json(p), 'command', null, 'stripe_payment_intent_id', null)));
  return private.answer(201, jsonb_build_object(
    'payment', private.payment_json(p), 'command', command, 'stripe_payment_intent_id', p.stripe_payment_intent_id));
end $$;

-- ---- What became of what we asked

create or replace function private.finish_payment_command(c private.stripe_command, stripe_id text, error text) returns void
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  p private.payment;
  s public.session;
begin
  select * into p from private.payment f where f.id::text = coalesce(c.parameters ->> 'payment_id', c.subject_id::text);
  perform private.lock_payers(array[p.coach_id, p.mentee_id]);
  select * into s from public.session f where f.id = p.session_id for update;
  select * into p from private.payment f where f.id = p.id for update;
  if c.kind = 'transfer.create' then
    update private.payment f set stripe_top_up_id = coalesce(f.stripe_top_up_id, stripe_id) where f.id = p.id and stripe_id is not null;
    return;
  end if;
  if c.kind = 'payment.create' and stripe_id is not null then
    update private.payment f set stripe_payment_intent_id = coalesce(f.stripe_payment_intent_id, stripe_id) where f.id = p.id returning * into p;
  elsif c.kind = 'payment.create' and p.stripe_payment_intent_id is null then
    -- Nothing was made at Stripe, and nothing will be: the time is free again.
    perform private.cancel_payment(p, error);
    if s.status = 'PENDING_PAYMENT' and private.session_refusal(s, 'cancel', 'SYSTEM', private.now()) is null then
      perform private.move_session(s.id, 'CANCELLED', 'SYSTEM', null, 'The payment could not be opened.');
    end if;
    return;
  end if;
  if s.status <> 'PENDING_PAYMENT' then
    perform private.let_go_of_payment(p);
  end if;
end $$;

create or replace function private.cancel_payment(p private.payment, why text) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  update private.payment f set status = 'CANCELED', canceled_at = private.now(), failure_code = coalesce(left(why, 100), f.failure_code) where f.id = p.id;
  perform private.return_credit(p.session_id);
end $$;

-- The session has been let go of, so its payment is, too: at Stripe, where it may be paid at this very moment; what it says then, counts. While
-- something is being asked about the payment, whoever finishes that comes here again.
create or replace function private.let_go_of_payment(p private.payment) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  if p.paid_at is not null or p.status = 'CANCELED' or p.surplus
     or exists (select 1 from private.stripe_command c where c.subject_id = p.id and c.state = 'SENT') then
    return;
  elsif p.stripe_payment_intent_id is null then
    perform private.cancel_payment(p, null);
  else
    perform private.run_soon(private.start_command('payment.cancel', null, p.id, jsonb_build_object('payment_intent', p.stripe_payment_intent_id)));
  end if;
end $$;

create or replace function private.let_go_with_session() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  p private.payment;
begin
  for p in select * from private.payment f where f.session_id = new.id for update loop
    perform private.let_go_of_payment(p);
  end loop;
  return null;
end $$;

-- Holds that ran out and payments that Stripe has not been asked to cancel: when everything that should have done it was lost.
create or replace function public.let_go_of_payments(batch integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  p private.payment;
  done integer := 0;
begin
  perform private.require_service();
  for p in
    select f.* from private.payment f join public.session s on s.id = f.session_id
    where f.status in ('PENDING', 'REQUIRES_ACTION', 'FAILED') and s.status in ('EXPIRED', 'CANCELLED')
      and not exists (select 1 from private.stripe_command c where c.subject_id = f.id and c.state = 'SENT')
    order by f.id limit batch for update of f skip locked
  loop
    perform private.let_go_of_payment(p);
    done := done + 1;
  end loop;
  return private.answer(200, jsonb_build_object('let_go', done));
end $$;
