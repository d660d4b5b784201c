create or replace function private.coach_account_json(coach_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce((
    select jsonb_build_object(
      'status', case when a.stripe_account_id is null then 'NOT_STARTED' when a.transfers_active and a.payouts_enabled then 'READY'
                     when not a.details_submitted then 'ONBOARDING' else 'RESTRICTED' end,
      'transfers_active', a.transfers_active, 'payouts_enabled', a.payouts_enabled, 'requirements', to_jsonb(a.requirements),
      'disabled_reason', a.disabled_reason)
    from private.coach_account a where a.coach_id = coach_account_json.coach_id),
    '{"status": "NOT_STARTED", "transfers_active": false, "payouts_enabled": false, "requirements": [], "disabled_reason": null}');
$$;

-- How the caller is paid, and for the API alone what Stripe calls his account.
create or replace function public.get_coach_account() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('payout:manage');
begin
  return jsonb_build_object(
    'account', private.coach_account_json(caller),
    'stripe_account_id', (select a.stripe_account_id from private.coach_account a where a.coach_id = caller));
end $$;

-- The account to be led through Stripe's onboarding; without one yet, the command that makes it.
create or replace function public.begin_payout_onboarding() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('payout:manage');
  answer jsonb := private.begin_idempotent();
  mine private.coach_account;
begin
  if answer is not null then
    return answer;
  end if;
  insert into private.coach_account (coach_id) values (caller) on conflict do nothing;
  select * into mine from private.coach_account a where a.coach_id = caller for update;
  return private.end_idempotent(private.answer(200, jsonb_build_object(
    'stripe_account_id', mine.stripe_account_id,
    'command', case when mine.stripe_account_id is null then private.start_command('account.create', caller, caller, '{}') end)));
end $$;

-- Ours is the account whose own metadata names the coach.
drop function if exists public.mirror_coach_account(jsonb, integer);
create or replace function public.mirror_coach_account(row_ jsonb, seen bigint) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  mine private.coach_account;
  was_ready boolean;
begin
  perform private.require_service();
  if not private.take_write(row_ ->> 'stripe_account_id', seen) then
    return private.answer(200, jsonb_build_object('state', 'stale'));
  end if;
  select * into mine from private.coach_account a
  where a.coach_id::text = row_ ->> 'coach_id' and coalesce(a.stripe_account_id, row_ ->> 'stripe_account_id') = row_ ->> 'stripe_account_id'
  for update;
  if mine.coach_id is null then
    return private.answer(200, jsonb_build_object('state', 'unknown'));
  end if;
  was_ready := mine.transfers_active;
  update private.coach_account a set
    stripe_account_id = row_ ->> 'stripe_account_id', transfers_active = (row_ ->> 'transfers_active')::boolean,
    payouts_enabled = (row_ ->> 'payouts_enabled')::boolean, details_submitted = (row_ ->> 'details_submitted')::boolean,
    requirements = array(select jsonb_array_elements_text(row_ -> 'requirements')), disabled_reason = row_ ->> 'disabled_reason'
  where a.coach_id = mine.coach_id returning * into mine;
  if was_ready <> mine.transfers_active then
    perform private.emit(case when mine.transfers_active then 'PayoutsReady' else 'PayoutsRestricted' end, jsonb_build_object(
      'coachId', mine.coach_id, 'reason', mine.disabled_reason));
  end if;
  return private.answer(200, jsonb_build_object('state', 'written'));
end $$;

-- Whether a profile may be published at a rate: while sessions are paid for, only one whose coach can be paid.
create or replace function private.can_be_paid(coach_id uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  select not (private.setting('flag.session_payments', 'false') #>> '{}')::boolean
      or coalesce((private.rate_in_force(can_be_paid.coach_id, null, private.now())).amount, 0) = 0
      or exists (select 1 from private.coach_account a where a.coach_id = can_be_paid.coach_id and a.transfers_active);
$$;
