create or replace function private.subscription_json(s private.subscription) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', s.id, 'user_id', s.user_id, 'plan_id', s.plan_id, 'plan_name', p.name, 'status', s.status,
    'effective_status', private.effective_status(s), 'price', private.money(c.amount, c.currency),
    'interval', c.billing_interval, 'interval_count', c.interval_count,
    'current_period_start', s.current_period_start, 'current_period_end', s.current_period_end, 'trial_end', s.trial_end,
    'cancel_at', s.cancel_at, 'canceled_at', s.canceled_at, 'ended_at', s.ended_at,
    'entitled', private.is_entitled(s), 'version', s.version, 'created_at', s.created_at)
  from private.plan p, private.plan_price c where p.id = s.plan_id and c.id = s.plan_price_id;
$$;

-- The status that people ask for: Stripe's own, and what it does not call a status.
create or replace function private.effective_status(s private.subscription) returns text
language sql immutable set search_path = '' as $$
  select case
    when s.status in ('ACTIVE', 'TRIALING') and s.cancel_at is not null then 'CANCELING'
    when s.status = 'ACTIVE' and s.collection_paused then 'COLLECTION_PAUSED'
    else s.status::text end;
$$;

-- Whether the plan's entitlements are his: while paid or on trial, and in the days in which Stripe still tries to collect.
create or replace function private.is_entitled(s private.subscription) returns boolean
language sql immutable set search_path = '' as $$
  select s.status in ('ACTIVE', 'TRIALING', 'PAST_DUE');
$$;

create or replace function public.list_subscriptions(after_at timestamptz default null, after_id uuid default null, page_size integer default 25)
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('subscription:read');
begin
  return (
    select coalesce(jsonb_agg(private.subscription_json(page.s) order by page.created_at desc, page.id desc), '[]')
    from (
      select s, s.created_at, s.id from private.subscription s
      where (s.user_id = caller or private.caller_is('ADMIN')) and (after_id is null or (s.created_at, s.id) < (after_at, after_id))
      order by s.created_at desc, s.id desc limit least(page_size, 101)) page);
end $$;

create or replace function public.get_subscription(subscription_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('subscription:read');
  wanted private.subscription;
begin
  select * into wanted from private.subscription s where s.id = subscription_id and (s.user_id = caller or private.caller_is('ADMIN'));
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such subscription.');
  end if;
  return private.subscription_json(wanted);
end $$;

-- The row that Stripe's subscription will belong to, and the command that makes it. Nothing of it is at Stripe yet.
create or replace function public.begin_subscription(plan_id uuid, payment_method_id uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('subscription:manage');
  answer jsonb := private.begin_idempotent();
  wanted private.plan;
  price private.plan_price;
  method private.payment_method;
  made private.subscription;
  trial integer;
  locked_currency text;
begin
  if answer is not null then
    return answer;
  end if;
  perform 1 from public.user_account u where u.id = caller for no key update;
  select * into wanted from private.plan p where p.id = plan_id and p.status = 'ACTIVE';
  select * into price from private.plan_price c where c.plan_id = wanted.id and c.is_current;
  if wanted.id is null or price.stripe_price_id is null then
    perform private.refuse(404, 'not_found', 'There is no such plan.');
  end if;
  if payment_method_id is not null then
    select * into method from private.payment_method m where m.id = payment_method_id and m.user_id = caller and m.detached_at is null;
    if method.id is null then
      perform private.refuse(404, 'not_found', 'There is no such payment method.');
    end if;
  end if;
  if exists (select 1 from private.subscription s where s.user_id = caller and s.status not in ('CANCELED', 'INCOMPLETE_EXPIRED')) then
    return private.end_idempotent(private.refused(409, 'subscription_exists',
      'You have a subscription already. Change it, or cancel it first.',
      jsonb_build_object('subscriptionId', (select s.id from private.subscription s
                                            where s.user_id = caller and s.status not in ('CANCELED', 'INCOMPLETE_EXPIRED')))));
  end if;
  select b.currency into locked_currency from private.billing_customer b where b.user_id = caller;
  if locked_currency is not null and locked_currency <> price.currency then
    return private.end_idempotent(private.refused(422, 'currency_locked',
      format('Your account is billed in %s. Choose a plan in that currency.', locked_currency)));
  end if;
  -- One trial per person: whoever had one, or a paid subscription, pays from the start.
  trial := case when exists (select 1 from private.subscription s where s.user_id = caller and s.current_period_start is not null)
                then 0 else price.trial_days end;
  insert into private.billing_customer (user_id, created_at) values (caller, private.now()) on conflict do nothing;
  insert into private.subscription (user_id, plan_id, plan_price_id, created_at, updated_at)
  values (caller, wanted.id, price.id, private.now(), private.now()) returning * into made;
  return private.end_idempotent(private.answer(201, jsonb_build_object(
    'subscription', private.subscription_json(made),
    'command', private.start_command('subscription.create', caller, made.id, jsonb_build_object(
      'price', price.stripe_price_id, 'trial_days', trial, 'payment_method', method.stripe_payment_method_id)))));
end $$;

-- Who may ask what of a subscription in which state (DOMAIN E). Its status does not change here: Stripe says when it has.
create or replace function private.subscription_allows(action text, s private.subscription) returns boolean
language sql immutable set search_path = '' as $$
  select s.stripe_subscription_id is not null and case action
    when 'change' then s.status in ('TRIALING', 'ACTIVE', 'PAST_DUE') and s.cancel_at is null
    when 'pause' then s.status = 'ACTIVE' and s.cancel_at is null
    when 'resume' then s.status = 'PAUSED'
    when 'cancel' then s.status in ('INCOMPLETE', 'TRIALING', 'ACTIVE', 'PAST_DUE', 'UNPAID', 'PAUSED')
    when 'reactivate' then s.status in ('TRIALING', 'ACTIVE', 'PAST_DUE') and s.cancel_at is not null
    else false end;
$$;

create or replace function public.begin_subscription_action(
  subscription_id uuid, action text, parameters jsonb, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('subscription:manage');
  answer jsonb := private.begin_idempotent();
  mine private.subscription;
  price private.plan_price;
begin
  if answer is not null then
    return answer;
  end if;
  select * into mine from private.subscription s where s.id = subscription_id and s.user_id = caller for update;
  if mine.id is null then
    perform private.refuse(404, 'not_found', 'There is no such subscription.');
  end if;
  perform private.require_version(mine.version, expected_version);
  if not private.subscription_allows(action, mine) then
    return private.end_idempotent(private.refused(409, 'invalid_transition',
      format('A subscription that is %s does not allow this: %s.', private.effective_status(mine), action)));
  end if;
  if action = 'change' then
    price := private.price_to_change_to(mine, (parameters ->> 'plan_id')::uuid);
    parameters := parameters || jsonb_build_object('price', price.stripe_price_id, 'plan_price_id', price.id);
  end if;
  return private.end_idempotent(private.answer(200, jsonb_build_object(
    'subscription', private.subscription_json(mine),
    'command', private.start_command('subscription.' || action, mine.user_id, mine.id,
      parameters || jsonb_build_object('stripe_subscription_id', mine.stripe_subscription_id)))));
end $$;

create or replace function private.price_to_change_to(mine private.subscription, plan_id uuid) returns private.plan_price
language plpgsql stable security definer set search_path = '' as $$
declare
  price private.plan_price;
begin
  select c.* into price from private.plan_price c join private.plan p on p.id = c.plan_id
  where p.id = price_to_change_to.plan_id and p.status = 'ACTIVE' and c.is_current and c.stripe_price_id is not null;
  if price.id is null then
    perform private.refuse(404, 'not_found', 'There is no such plan.');
  end if;
  if price.id = mine.plan_price_id then
    perform private.refuse(409, 'no_change', 'The subscription has this plan at this price already.');
  end if;
  if price.currency <> (select c.currency from private.plan_price c where c.id = mine.plan_price_id) then
    perform private.refuse(422, 'currency_locked', 'A subscription keeps its currency. Choose a plan in the same one.');
  end if;
  return price;
end $$;

-- For a preview: what a change would be of, without starting one.
create or replace function public.get_subscription_change(subscription_id uuid, plan_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('subscription:manage');
  mine private.subscription;
begin
  select * into mine from private.subscription s where s.id = subscription_id and s.user_id = caller;
  if mine.id is null then
    perform private.refuse(404, 'not_found', 'There is no such subscription.');
  end if;
  if not private.subscription_allows('change', mine) then
    perform private.refuse(409, 'invalid_transition',
      format('A subscription that is %s does not allow this: change.', private.effective_status(mine)));
  end if;
  return jsonb_build_object(
    'stripe_subscription_id', mine.stripe_subscription_id, 'price', (private.price_to_change_to(mine, plan_id)).stripe_price_id);
end $$;
