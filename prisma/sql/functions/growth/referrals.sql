-- Codes, who redeemed them, and what a person may know of it: his own side, and never who is on the other (docs/adr/049).

-- Eight characters of twenty: bytes from the operating system's generator, those that would favour some characters left out.
create or replace function private.random_code() returns text
language plpgsql volatile set search_path = '' as $$
declare
  code text := '';
  byte integer;
begin
  while length(code) < 8 loop
    byte := get_byte(uuid_send(gen_random_uuid()), 0);
    if byte < 240 then
      code := code || substr('23456789CFGHJMPQRVWX', 1 + byte % 20, 1);
    end if;
  end loop;
  return code;
end $$;

-- The person's new code; the one before it ends. The caller holds the person's row.
create or replace function private.issue_referral_code(person uuid) returns private.referral_code
language plpgsql volatile security definer set search_path = '' as $$
declare
  made private.referral_code;
begin
  update private.referral_code c set retired_at = private.now() where c.user_id = person and c.retired_at is null;
  for attempt in 1 .. 10 loop
    insert into private.referral_code as c (code, user_id, created_at) values (private.random_code(), person, private.now())
    on conflict on constraint referral_code_pkey do nothing returning c.* into made;
    exit when made.code is not null;
  end loop;
  if made.code is null then
    raise exception using errcode = '23505', message = 'Ten codes in a row were taken.';
  end if;
  return made;
end $$;

create or replace function private.referral_code_json(c private.referral_code) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('code', c.code, 'created_at', c.created_at) where c.code is not null;
$$;

-- One side's view.
create or replace function private.referral_json(r private.referral, person uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', r.id, 'side', case when r.referee_id = person then 'REFEREE' else 'REFERRER' end, 'status', r.status, 'redeemed_at', r.redeemed_at,
    'expires_at', r.expires_at, 'hold_until', r.hold_until, 'rewarded_at', r.rewarded_at,
    'reward', private.money(case when r.referee_id = person then r.referee_amount else r.referrer_amount end, r.currency),
    'capped', r.referrer_id = person and r.capped)
  where r.id is not null;
$$;

-- Until when a person may redeem a code.
create or replace function private.redeem_until(person uuid) returns timestamptz
language sql stable security definer set search_path = '' as $$
  select u.created_at + make_interval(days => (private.setting('referrals') ->> 'redeemDays')::integer) from public.user_account u where u.id = person;
$$;

create or replace function public.create_referral_code() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('referral:manage');
  answer jsonb := coalesce(private.begin_idempotent(), private.take_rate_limit('referral_code'));
begin
  if answer is not null then
    return answer;
  end if;
  perform 1 from public.user_account u where u.id = caller for no key update;
  return private.end_idempotent(private.answer(201, private.referral_code_json(private.issue_referral_code(caller))));
end $$;

-- Whether `person` is, through any number of accounts, the one who brought `owner`.
create or replace function private.brought(person uuid, owner uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  with recursive above (id) as (
    select owner union select r.referrer_id from private.referral r join above on above.id = r.referee_id)
  select exists (select 1 from above where id = person);
$$;

-- Redeems one code in a person's life. What is wrong with the caller is said first and does not depend on the code; a code that is unknown,
-- was replaced, belongs to nobody who is active or would close a loop gets one and the same answer. One redemption at a time: of two that
-- would close a loop together, the second sees the first.
create or replace function public.redeem_referral_code(code text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('referral:manage');
  answer jsonb := coalesce(private.begin_idempotent(), private.take_rate_limit('referral_redeem'));
  moment timestamptz := private.now();
  owner uuid;
  made private.referral;
begin
  if answer is not null then
    return answer;
  end if;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('referral', 0));
  if exists (select 1 from private.referral r where r.referee_id = caller) then
    return private.end_idempotent(private.refused(409, 'referral_redeemed', 'You have redeemed a code. Everybody can redeem one.'));
  elsif moment >= private.redeem_until(caller) then
    return private.end_idempotent(private.refused(409, 'referral_too_late',
      format('A code can be redeemed within %s days of signing up.', private.setting('referrals') ->> 'redeemDays')));
  end if;
  select c.user_id into owner from private.referral_code c where c.code = redeem_referral_code.code and c.retired_at is null;
  if owner = caller then
    return private.end_idempotent(private.refused(409, 'own_referral_code', 'This is your own code. Give it to somebody else.'));
  end if;
  perform 1 from public.user_account u where u.id in (owner, caller) order by u.id for no key update;
  if owner is null or private.brought(caller, owner)
     or not exists (select 1 from public.user_account u join private.referral_code c on c.user_id = u.id
                    where u.id = owner and u.status = 'ACTIVE' and u.deleted_at is null and c.code = redeem_referral_code.code and c.retired_at is null) then
    return private.end_idempotent(private.refused(422, 'referral_code_invalid', 'This code cannot be redeemed. Check it, or ask for another one.'));
  end if;
  insert into private.referral as r (referrer_id, referee_id, code, redeemed_at, expires_at, updated_at)
  values (owner, caller, code, moment, moment + make_interval(days => (private.setting('referrals') ->> 'expiryDays')::integer), moment)
  returning r.* into made;
  perform private.emit_referral(made, 'ReferralRedeemed');
  made := private.flag_referral(made);
  return private.end_idempotent(private.answer(201, private.referral_json(made, caller)));
end $$;

-- The caller's code, what he redeemed himself, and those who redeemed his: latest first; keyset on (redeemed_at, id).
create or replace function public.list_referrals(before_at timestamptz default null, before_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('referral:read');
begin
  return jsonb_build_object(
    'code', (select private.referral_code_json(c) from private.referral_code c where c.user_id = caller and c.retired_at is null),
    'redeemed', (select private.referral_json(r, caller) from private.referral r where r.referee_id = caller),
    'redeem_until', private.redeem_until(caller),
    'referrals', (
      select coalesce(jsonb_agg(private.referral_json(page.it, caller) order by page.redeemed_at desc, page.id desc), '[]')
      from (
        select r as it, r.redeemed_at, r.id from private.referral r
        where r.referrer_id = caller and (before_id is null or (r.redeemed_at, r.id) < (before_at, before_id))
        order by r.redeemed_at desc, r.id desc limit least(page_size, 101)) page));
end $$;

-- The caller's credit: what there is of each currency, and every entry, latest first; keyset on the id.
create or replace function public.list_credit(before_id bigint default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('referral:read');
begin
  return jsonb_build_object(
    'balances', (select coalesce(jsonb_agg(private.money(a.balance, a.currency) order by a.currency), '[]')
                 from public.credit_account a where a.user_id = caller),
    'entries', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'id', page.id, 'kind', page.kind, 'amount', private.money(page.amount, page.currency), 'session_id', page.session_id,
        'referral_id', page.referral_id, 'created_at', page.created_at) order by page.id desc), '[]')
      from (
        select e.* from public.credit_entry e where e.user_id = caller and (before_id is null or e.id < before_id)
        order by e.id desc limit least(page_size, 101)) page));
end $$;
