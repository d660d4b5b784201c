create or replace function private.payment_method_json(m private.payment_method) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', m.id, 'type', upper(m.type), 'brand', m.brand, 'last4', m.last4, 'expires_month', m.expires_month, 'expires_year', m.expires_year,
    'is_default', m.is_default, 'created_at', m.created_at);
$$;

create or replace function public.list_payment_methods() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('payment_method:manage');
begin
  return (select coalesce(jsonb_agg(private.payment_method_json(m) order by m.is_default desc, m.created_at desc, m.id), '[]')
          from private.payment_method m where m.user_id = caller and m.detached_at is null);
end $$;

-- Whom Stripe is told that we ask for: the caller, his customer and, for a method, that it is his.
create or replace function public.begin_payment_method_setup() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('payment_method:manage');
  answer jsonb := private.begin_idempotent();
begin
  if answer is not null then
    return answer;
  end if;
  insert into private.billing_customer (user_id, created_at) values (caller, private.now()) on conflict do nothing;
  return private.end_idempotent(private.answer(200, jsonb_build_object(
    'command', private.start_command('setup_intent.create', caller, gen_random_uuid(), '{}'))));
end $$;

create or replace function public.begin_payment_method_action(payment_method_id uuid, action text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('payment_method:manage');
  answer jsonb := private.begin_idempotent();
  mine private.payment_method;
  live text;
begin
  if answer is not null then
    return answer;
  end if;
  perform 1 from public.user_account u where u.id = caller for no key update;
  select * into mine from private.payment_method m where m.id = payment_method_id and m.user_id = caller and m.detached_at is null;
  if mine.id is null then
    perform private.refuse(404, 'not_found', 'There is no such payment method.');
  end if;
  select s.stripe_subscription_id into live from private.subscription s
  where s.user_id = caller and s.status not in ('CANCELED', 'INCOMPLETE_EXPIRED');
  if action = 'detach' and live is not null
     and not exists (select 1 from private.payment_method m where m.user_id = caller and m.detached_at is null and m.id <> mine.id) then
    return private.end_idempotent(private.refused(409, 'last_payment_method',
      'Your subscription is paid with this. Add another payment method first, or cancel the subscription.'));
  end if;
  return private.end_idempotent(private.answer(200, jsonb_build_object(
    'payment_method', private.payment_method_json(mine),
    'command', private.start_command('payment_method.' || action, caller, mine.id, jsonb_build_object(
      'payment_method', mine.stripe_payment_method_id, 'stripe_subscription_id', live)))));
end $$;

-- Whose customer he is at Stripe, for the portal.
create or replace function public.get_billing_customer() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('subscription:manage');
  customer text := (select b.stripe_customer_id from private.billing_customer b where b.user_id = caller);
begin
  if customer is null then
    perform private.refuse(404, 'not_found', 'There is nothing to show yet: you have never paid here.');
  end if;
  return jsonb_build_object('stripe_customer_id', customer);
end $$;
