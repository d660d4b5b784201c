-- Starts a command: committed before the call to Stripe. One at a time for one object, of whatever kind: a second caller is told to wait, until
-- the janitor has found out what became of the first. Otherwise a lost pause that is repeated could undo the resumption after it.
create or replace function private.start_command(kind text, person uuid, subject uuid, parameters jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  made private.stripe_command;
  id uuid := gen_random_uuid();
begin
  if exists (select 1 from private.stripe_command c where c.subject_id = subject and c.state = 'SENT') then
    perform private.refuse(409, 'request_in_progress', 'An earlier request about this is not finished yet. Try again in a few minutes.');
  end if;
  insert into private.stripe_command (id, kind, user_id, subject_id, parameters, idempotency_key, sent_at)
  values (id, kind, person, subject, parameters, 'command:' || id, private.now()) returning * into made;
  return private.command_json(made);
end $$;

create or replace function private.command_json(c private.stripe_command) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', c.id, 'kind', c.kind, 'subject_id', c.subject_id, 'parameters', c.parameters, 'idempotency_key', c.idempotency_key,
    'sent_at', c.sent_at, 'attempts', c.attempts, 'customer', (
      select jsonb_build_object(
        'user_id', u.id, 'email', u.email, 'name', private.display_name(u.id), 'stripe_customer_id', b.stripe_customer_id,
        'since', coalesce(b.created_at, c.sent_at))
      from public.user_account u left join private.billing_customer b on b.user_id = u.id where u.id = c.user_id));
$$;

-- What became of it. A caller finishes his own commands, the service (the janitor) anyone's. What Stripe calls the object is written once;
-- how the object is, is Stripe's to say: the mirror is written by the service alone, from the object itself.
create or replace function public.finish_stripe_command(command_id uuid, stripe_id text default null, error text default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  mine private.stripe_command;
begin
  if private.request_role() <> 'service_role' then
    perform private.require_caller('payment:read');
  end if;
  select * into mine from private.stripe_command c where c.id = command_id
    and (private.request_role() = 'service_role' or c.user_id = private.caller_id()) for update;
  if mine.id is null then
    perform private.refuse(404, 'not_found', 'There is no such command.');
  end if;
  if mine.state = 'SENT' then
    update private.stripe_command c set
      state = case when error is null then 'DONE' else 'REFUSED' end, stripe_id = finish_stripe_command.stripe_id,
      error = left(finish_stripe_command.error, 500), finished_at = private.now()
    where c.id = mine.id;
    if mine.kind = 'subscription.create' and stripe_id is not null then
      update private.subscription s set stripe_subscription_id = finish_stripe_command.stripe_id
      where s.id = mine.subject_id and s.stripe_subscription_id is null;
    elsif mine.kind = 'account.create' and stripe_id is not null then
      update private.coach_account a set stripe_account_id = finish_stripe_command.stripe_id
      where a.coach_id = mine.subject_id and a.stripe_account_id is null;
    elsif mine.kind = 'refund.create' then
      perform private.finish_refund(mine.subject_id, stripe_id, error);
    elsif mine.kind = 'transfer.reverse' then
      perform private.finish_reversal(mine.subject_id, stripe_id, error);
    elsif mine.kind like 'payment.%' or mine.kind = 'transfer.create' then
      perform private.finish_payment_command(mine, stripe_id, error);
    elsif mine.kind = 'subscription.create' then
      -- Nothing was made at Stripe: the place of the one live subscription is free again.
      update private.subscription s set status = 'INCOMPLETE_EXPIRED', ended_at = private.now()
      where s.id = mine.subject_id and s.stripe_subscription_id is null;
    end if;
  end if;
  return private.answer(200, '{}');
end $$;

-- A command that nobody has finished yet; null once somebody has.
create or replace function public.get_waiting_command(command_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_service();
  return (select private.command_json(c) from private.stripe_command c where c.id = command_id and c.state = 'SENT');
end $$;

create or replace function public.record_customer(user_id uuid, stripe_customer_id text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  kept text;
begin
  if private.request_role() <> 'service_role' then
    perform private.require_caller('subscription:manage');
  end if;
  if private.request_role() <> 'service_role' and user_id is distinct from private.caller_id() then
    perform private.refuse(404, 'not_found', 'There is no such user.');
  end if;
  insert into private.billing_customer as b (user_id, stripe_customer_id) values (record_customer.user_id, record_customer.stripe_customer_id)
  on conflict on constraint billing_customer_pkey do update set stripe_customer_id = coalesce(b.stripe_customer_id, excluded.stripe_customer_id)
  returning b.stripe_customer_id into kept;
  return private.answer(200, jsonb_build_object('stripe_customer_id', kept));
end $$;

-- Commands whose end nobody told, oldest first; each is handed out once per quarter of an hour.
create or replace function public.claim_lost_commands(quiet_seconds integer, batch integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  lost jsonb;
begin
  perform private.require_service();
  with due as (
    select c.id from private.stripe_command c
    where c.state = 'SENT' and c.sent_at + make_interval(secs => quiet_seconds) * c.attempts < private.now()
    order by c.sent_at limit batch for update skip locked),
  taken as (
    update private.stripe_command c set attempts = c.attempts + 1 from due where c.id = due.id returning c)
  select coalesce(jsonb_agg(private.command_json(taken.c)), '[]') into lost from taken;
  return private.answer(200, jsonb_build_object('commands', lost));
end $$;
