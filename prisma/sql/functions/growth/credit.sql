-- The only writers of credit (docs/adr/047). Each holds the account's row until the end of the transaction. Locks: people, in the order of their
-- ids, then sessions, then accounts, again in the order of their people.
create or replace function private.lock_credit(user_id uuid, currency text) returns public.credit_account
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  account public.credit_account;
begin
  select * into account from public.credit_account a where a.user_id = lock_credit.user_id and a.currency = lock_credit.currency for no key update;
  return account;
end $$;

-- Gives credit once per key; how much that key gave.
create or replace function private.grant_credit(user_id uuid, currency text, amount bigint, key text, referral_id uuid default null) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  given bigint;
begin
  insert into public.credit_account (user_id, currency, created_at, updated_at) values (user_id, currency, private.now(), private.now())
  on conflict on constraint credit_account_pkey do nothing;
  perform private.lock_credit(user_id, currency);
  select e.amount into given from public.credit_entry e where e.user_id = grant_credit.user_id and e.kind = 'GRANTED' and e.key = grant_credit.key;
  if given is null then
    insert into public.credit_entry (user_id, currency, kind, amount, key, referral_id, created_at)
    values (user_id, currency, 'GRANTED', amount, key, referral_id, private.now());
    perform private.collect_owed_credit(user_id, currency);
  end if;
  return coalesce(given, amount);
end $$;

-- Pays for a session of the person's with at most `wanted` and at most his balance, once per session; how much the session took, then and
-- whenever it is asked again.
create or replace function private.take_credit(user_id uuid, currency text, wanted bigint, session_id uuid) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  account public.credit_account;
  taken bigint;
begin
  perform 1 from public.session s
  where s.id = session_id and s.mentee_id = take_credit.user_id and s.currency = take_credit.currency for key share;
  if not found then
    raise exception using errcode = '23514', message = 'Credit pays for a session of its owner in its own currency.';
  end if;
  account := private.lock_credit(user_id, currency);
  select -e.amount into taken from public.credit_entry e where e.session_id = take_credit.session_id and e.kind = 'SPENT';
  if taken is null then
    taken := greatest(least(wanted, coalesce(account.balance, 0)), 0);
    if taken > 0 then
      insert into public.credit_entry (user_id, currency, kind, amount, session_id, created_at)
      values (user_id, currency, 'SPENT', -taken, session_id, private.now());
    end if;
  end if;
  return taken;
end $$;

-- Gives back of what a session took: all that is left of it, or at most `amount`; how much was given back. With a key (a refund's id) once per
-- key, and the same answer again.
create or replace function private.return_credit(session_id uuid, amount bigint default null, key text default null) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  spent public.credit_entry;
  given bigint;
begin
  perform 1 from public.session s where s.id = session_id for key share;
  select * into spent from public.credit_entry e where e.session_id = return_credit.session_id and e.kind = 'SPENT';
  if spent.id is null then
    return 0;
  end if;
  perform private.lock_credit(spent.user_id, spent.currency);
  select e.amount into given from public.credit_entry e where e.user_id = spent.user_id and e.kind = 'RETURNED' and e.key = return_credit.key;
  if given is not null then
    return given;
  end if;
  given := (select -sum(e.amount) from public.credit_entry e where e.session_id = return_credit.session_id);
  given := greatest(least(coalesce(amount, given), given), 0);
  if given > 0 then
    insert into public.credit_entry (user_id, currency, kind, amount, session_id, key, created_at)
    values (spent.user_id, spent.currency, 'RETURNED', given, session_id, key, private.now());
    perform private.collect_owed_credit(spent.user_id, spent.currency);
  end if;
  return given;
end $$;

-- Takes back what should not have been given, once per key: at most the balance; the rest is owed. How much was taken, then and now.
create or replace function private.claw_back_credit(user_id uuid, currency text, amount bigint, key text, referral_id uuid default null) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  account public.credit_account := private.lock_credit(user_id, currency);
  taken bigint;
begin
  if account.user_id is null then
    return 0;
  end if;
  select -e.amount into taken from public.credit_entry e where e.user_id = claw_back_credit.user_id and e.kind = 'CLAWED_BACK' and e.key = claw_back_credit.key;
  if taken is null then
    taken := least(amount, account.balance);
    insert into public.credit_entry (user_id, currency, kind, amount, owed, key, referral_id, created_at)
    values (user_id, currency, 'CLAWED_BACK', -taken, amount - taken, key, referral_id, private.now());
  end if;
  return taken;
end $$;

-- Credit that comes in pays what is owed first: else a booking made with a reward that was clawed back, and cancelled, would give it back.
create or replace function private.collect_owed_credit(user_id uuid, currency text) returns void
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  account public.credit_account := private.lock_credit(user_id, currency);
  collected bigint := least(account.balance, account.owed);
begin
  if collected > 0 then
    insert into public.credit_entry (user_id, currency, kind, amount, owed, created_at)
    values (user_id, currency, 'COLLECTED', -collected, -collected, private.now());
  end if;
end $$;
