create or replace function private.plan_json(p private.plan) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', p.id, 'name', p.name, 'description', p.description, 'status', p.status,
    'price', private.money(c.amount, c.currency), 'interval', c.billing_interval, 'interval_count', c.interval_count,
    'trial_days', c.trial_days, 'price_number', c.number,
    'entitlements', jsonb_build_object(
      'included_sessions_per_month', p.included_sessions_per_month, 'fee_waived', p.fee_waived, 'features', p.features),
    'purchasable', p.status = 'ACTIVE' and c.stripe_price_id is not null, 'version', p.version, 'created_at', p.created_at)
  from private.plan_price c where c.plan_id = p.id and c.is_current;
$$;

-- What Stripe has to know of a plan: the product, and the current price.
create or replace function private.plan_for_stripe(p private.plan) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'plan_id', p.id, 'name', p.name, 'description', p.description, 'active', p.status = 'ACTIVE', 'product_id', p.stripe_product_id,
    'number', c.number, 'amount', c.amount, 'currency', c.currency, 'interval', c.billing_interval, 'interval_count', c.interval_count,
    'price_id', c.stripe_price_id, 'price_row', c.id)
  from private.plan_price c where c.plan_id = p.id and c.is_current;
$$;

-- Everyone sees what can be bought, newest first; an ADMIN also what is archived or not at Stripe yet.
create or replace function public.list_plans(after_at timestamptz default null, after_id uuid default null, page_size integer default 25)
returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(private.plan_json(page.p) order by page.created_at desc, page.id desc), '[]')
  from (
    select p, p.created_at, p.id from private.plan p
    where (private.caller_may('plan:manage') or (p.status = 'ACTIVE' and exists (
        select 1 from private.plan_price c where c.plan_id = p.id and c.is_current and c.stripe_price_id is not null)))
      and (after_id is null or (p.created_at, p.id) < (after_at, after_id))
    order by p.created_at desc, p.id desc limit least(page_size, 101)) page;
$$;

create or replace function public.get_plan(plan_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  wanted private.plan;
begin
  perform private.require_caller('plan:read');
  select * into wanted from private.plan p where p.id = plan_id
    and (p.status = 'ACTIVE' or private.caller_may('plan:manage') or exists (
      select 1 from private.subscription s where s.plan_id = p.id and s.user_id = private.caller_id()));
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such plan.');
  end if;
  return private.plan_json(wanted);
end $$;

create or replace function private.add_plan_price(plan_id uuid, terms jsonb) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  update private.plan_price c set is_current = false where c.plan_id = add_plan_price.plan_id and c.is_current;
  insert into private.plan_price (plan_id, number, amount, currency, billing_interval, interval_count, trial_days, created_at)
  values (plan_id, coalesce((select max(c.number) from private.plan_price c where c.plan_id = add_plan_price.plan_id), 0) + 1,
          (terms ->> 'amount')::integer, terms ->> 'currency', (terms ->> 'interval')::public.billing_interval,
          (terms ->> 'interval_count')::integer, (terms ->> 'trial_days')::integer, private.now());
end $$;

-- The answer also holds what the API then makes at Stripe; a replay makes it again, with the same ids.
create or replace function public.create_plan(input jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  answer jsonb;
  made private.plan;
begin
  perform private.require_caller('plan:manage');
  answer := private.begin_idempotent();
  if answer is not null then
    return answer;
  end if;
  perform private.check_price(input, '#/price');
  insert into private.plan (name, description, included_sessions_per_month, fee_waived, features, created_at, updated_at)
  values (input ->> 'name', input ->> 'description', (input ->> 'included_sessions_per_month')::integer, (input ->> 'fee_waived')::boolean,
          array(select jsonb_array_elements_text(input -> 'features')), private.now(), private.now())
  returning * into made;
  perform private.add_plan_price(made.id, input);
  return private.end_idempotent(private.answer(201, jsonb_build_object('stripe', private.plan_for_stripe(made))));
end $$;

-- A changed price, interval or trial is a new price: subscribers keep theirs.
create or replace function public.update_plan(plan_id uuid, patch jsonb, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  wanted private.plan;
  now_terms jsonb;
begin
  perform private.require_caller('plan:manage');
  select * into wanted from private.plan p where p.id = plan_id for update;
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such plan.');
  end if;
  perform private.require_version(wanted.version, expected_version);
  if patch ? 'amount' then
    perform private.check_price(patch, '#/price');
  end if;
  update private.plan p set
    name = coalesce(patch ->> 'name', p.name), description = coalesce(patch ->> 'description', p.description),
    status = coalesce((patch ->> 'status')::public.plan_status, p.status),
    included_sessions_per_month = coalesce((patch ->> 'included_sessions_per_month')::integer, p.included_sessions_per_month),
    fee_waived = coalesce((patch ->> 'fee_waived')::boolean, p.fee_waived),
    features = case when patch ? 'features' then array(select jsonb_array_elements_text(patch -> 'features')) else p.features end
  where p.id = plan_id returning * into wanted;
  select jsonb_build_object('amount', c.amount, 'currency', c.currency, 'interval', c.billing_interval,
                            'interval_count', c.interval_count, 'trial_days', c.trial_days)
  into now_terms from private.plan_price c where c.plan_id = wanted.id and c.is_current;
  if now_terms || private.only_terms(patch) <> now_terms then
    perform private.add_plan_price(wanted.id, now_terms || private.only_terms(patch));
  end if;
  return private.answer(200, jsonb_build_object('stripe', private.plan_for_stripe(wanted)));
end $$;

create or replace function private.only_terms(patch jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select coalesce(jsonb_object_agg(t.key, t.value), '{}') from jsonb_each(patch) t
  where t.key in ('amount', 'currency', 'interval', 'interval_count', 'trial_days');
$$;

-- A plan that somebody has or had is archived; one that nobody ever had is removed. Stripe keeps its product, inactive.
create or replace function public.delete_plan(plan_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  wanted private.plan;
begin
  perform private.require_caller('plan:manage');
  select * into wanted from private.plan p where p.id = plan_id for update;
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such plan.');
  end if;
  wanted.status := 'ARCHIVED';
  if exists (select 1 from private.subscription s where s.plan_id = wanted.id) then
    update private.plan p set status = 'ARCHIVED' where p.id = wanted.id;
    return private.answer(204, jsonb_build_object('stripe', private.plan_for_stripe(wanted)));
  end if;
  declare
    kept jsonb := private.plan_for_stripe(wanted);
  begin
    delete from private.plan p where p.id = wanted.id;
    return private.answer(204, jsonb_build_object('stripe', kept));
  end;
end $$;

-- What Stripe calls them. Written once: a product or price never takes the place of another.
create or replace function public.record_plan_at_stripe(plan_id uuid, price_row uuid, product_id text, price_id text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  wanted private.plan;
begin
  if private.request_role() <> 'service_role' then
    perform private.require_caller('plan:manage');
  end if;
  update private.plan p set stripe_product_id = product_id where p.id = record_plan_at_stripe.plan_id and p.stripe_product_id is null;
  update private.plan_price c set stripe_price_id = price_id
  where c.id = price_row and c.plan_id = record_plan_at_stripe.plan_id and c.stripe_price_id is null;
  select * into wanted from private.plan p where p.id = record_plan_at_stripe.plan_id;
  return private.answer(200, case when wanted.id is not null then private.plan_json(wanted) end);
end $$;

-- What a crash left behind: plans whose product or price Stripe does not know; or every plan, for a name or an end that did not arrive.
drop function if exists public.plans_to_sync();
create or replace function public.plans_to_sync(everything boolean default false) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_service();
  return (
    select coalesce(jsonb_agg(private.plan_for_stripe(p)), '[]') from private.plan p
    where everything or p.stripe_product_id is null
       or exists (select 1 from private.plan_price c where c.plan_id = p.id and c.is_current and c.stripe_price_id is null));
end $$;

create or replace function private.keep_used_price() returns trigger
language plpgsql set search_path = '' as $$
begin
  if (old.plan_id, old.number, old.amount, old.currency, old.billing_interval, old.interval_count, old.trial_days, old.created_at)
     is distinct from (new.plan_id, new.number, new.amount, new.currency, new.billing_interval, new.interval_count, new.trial_days, new.created_at)
     or (old.stripe_price_id is not null and new.stripe_price_id is distinct from old.stripe_price_id) then
    perform private.refuse(409, 'price_immutable', 'A price is not edited. Make a new one.');
  end if;
  return new;
end $$;

drop trigger if exists immutable on private.plan_price;
create trigger immutable before update on private.plan_price for each row execute function private.keep_used_price();
