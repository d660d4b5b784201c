-- What becomes of a referral: private.settle_referral works it out from the state of things, so events may come again, late and in any order
-- (docs/adr/048).

-- What of a session's price was paid in money, by a payment or with a month's invoice, and is still with us, in minor units; since when; and
-- whether the bank is asking for it back. Credit is not money: else rewards would earn rewards.
drop function if exists private.money_kept(uuid);
create or replace function private.money_kept(session_id uuid, out amount bigint, out contested boolean, out since timestamptz)
language plpgsql stable security definer set search_path = '' as $$
begin
  select coalesce(sum(p.paid_amount - p.refunded_amount) filter (where p.paid_at is not null and not exists (
           select 1 from private.dispute d where d.payment_id = p.id and d.kind = 'CHARGEBACK' and d.status = 'LOST')), 0),
         coalesce(bool_or(exists (
           select 1 from private.dispute d where d.payment_id = p.id and d.kind = 'CHARGEBACK' and d.closed_at is null)), false),
         max(p.paid_at)
  into amount, contested, since from private.payment p where p.session_id = money_kept.session_id and not p.surplus;
  select money_kept.amount + coalesce(sum(a.amount), 0), greatest(money_kept.since, max(v.paid_at)) into amount, since
  from private.session_on_account a join private.session_invoice i on i.id = a.session_invoice_id
  join private.invoice v on v.stripe_invoice_id = i.stripe_invoice_id and v.status = 'PAID' where a.session_id = money_kept.session_id;
end $$;

-- The referee's first session since he redeemed that is completed and paid, and what it is worth to both, by the terms of today.
create or replace function private.qualifying_session(
  r private.referral, out session_id uuid, out currency text, out referrer_amount bigint, out referee_amount bigint, out minimum_paid bigint, out since timestamptz)
language plpgsql stable security definer set search_path = '' as $$
begin
  select s.id, s.currency, (t.terms ->> 'referrer')::bigint, (t.terms ->> 'referee')::bigint, (t.terms ->> 'minimumPaid')::bigint,
         greatest(s.completed_at, k.since)
  into session_id, currency, referrer_amount, referee_amount, minimum_paid, since
  from public.session s
  cross join lateral (select private.setting('referrals') -> 'rewards' -> s.currency) t (terms)
  cross join lateral private.money_kept(s.id) k
  where s.mentee_id = r.referee_id and s.status = 'COMPLETED' and s.completed_at >= r.redeemed_at and s.completed_at < r.expires_at
    and k.amount >= (t.terms ->> 'minimumPaid')::bigint
  order by s.completed_at, s.id limit 1;
end $$;

-- An address as the mailbox it means: without what follows a plus, and at Gmail without dots.
create or replace function private.mailbox(email text) returns text
language sql immutable set search_path = '' as $$
  select case when p.domain in ('gmail.com', 'googlemail.com') then replace(p.local, '.', '') || '@gmail.com' else p.local || '@' || p.domain end
  from (select split_part(split_part(lower(email), '@', 1), '+', 1), split_part(lower(email), '@', 2)) p (local, domain);
$$;

-- What the referee has in common with the referrer, or with somebody else whom he brought: signs that they are one person.
create or replace function private.referral_flags(r private.referral) returns text[]
language sql stable security definer set search_path = '' as $$
  with other as (
    select r.referrer_id as id union select o.referee_id from private.referral o where o.referrer_id = r.referrer_id and o.referee_id <> r.referee_id)
  select coalesce(array_agg(distinct f.flag order by f.flag), '{}') from (
    select 'SAME_CARD' from private.payment_method m join private.payment_method n on n.fingerprint = m.fingerprint
    where m.user_id = r.referee_id and n.user_id in (select id from other)
    union all
    select 'SAME_EMAIL' from public.user_account u join public.user_account v on private.mailbox(v.email::text) = private.mailbox(u.email::text)
    where u.id = r.referee_id and v.id in (select id from other)
    union all
    select 'SAME_PHONE' from public.member_profile m join public.member_profile n on n.phone = m.phone
    where m.user_id = r.referee_id and n.user_id in (select id from other)
    union all
    select 'SAME_LICENSE' from public.member_profile m join public.member_profile n
      on n.license_number = m.license_number and coalesce(n.license_state, m.license_state, '') = coalesce(m.license_state, n.license_state, '')
    where m.user_id = r.referee_id and n.user_id in (select id from other)) f (flag);
$$;

-- Tells both, each of his own side alone: notifications keep what an event says, and neither may learn from them who the other is.
create or replace function private.emit_referral(r private.referral, type text) returns void
language sql volatile security definer set search_path = '' as $$
  select private.emit(type, jsonb_build_object('referralId', r.id, 'userId', s.person, 'side', s.side, 'status', r.status)
    || case when s.amount > 0 then jsonb_build_object('reward', private.money(s.amount, r.currency)) else '{}'::jsonb end
    || case when r.rewarded_at is not null and s.amount = 0 then '{"withoutReward": true}' else '{}'::jsonb end)
  from (values (r.referrer_id, 'REFERRER', r.referrer_amount), (r.referee_id, 'REFEREE', r.referee_amount)) s (person, side, amount);
$$;

create or replace function private.lock_referral(referral_id uuid) returns private.referral
language plpgsql volatile security definer set search_path = '' as $$
declare
  r private.referral;
begin
  perform 1 from public.user_account u
  where u.id in (select unnest(array[f.referrer_id, f.referee_id]) from private.referral f where f.id = referral_id) order by u.id for no key update;
  select * into r from private.referral f where f.id = referral_id for update;
  return r;
end $$;

-- Gives both their credit. A side whose account was deleted gets none, and a referrer none who had his share of the month.
create or replace function private.reward_referral(r private.referral, at timestamptz) returns private.referral
language plpgsql volatile security definer set search_path = '' as $$
declare
  terms jsonb := private.setting('referrals');
  rewarded private.referral;
  side record;
begin
  r.capped := (terms ->> 'monthlyCap')::integer <= (
    select count(*) from private.referral o
    where o.referrer_id = r.referrer_id and o.referrer_amount > 0 and o.rewarded_at >= date_trunc('month', at, 'UTC'));
  if r.capped or exists (select 1 from public.user_account u where u.id = r.referrer_id and u.deleted_at is not null) then
    r.referrer_amount := 0;
  end if;
  update private.referral f set status = 'REWARDED', rewarded_at = at, capped = r.capped, referrer_amount = r.referrer_amount
  where f.id = r.id returning * into rewarded;
  for side in select * from (values (r.referrer_id, r.referrer_amount), (r.referee_id, r.referee_amount)) s (person, amount)
    where s.amount > 0 order by s.person loop
    perform private.grant_credit(side.person, r.currency, side.amount, 'referral ' || r.id, r.id);
  end loop;
  perform private.emit_referral(rewarded, 'ReferralRewarded');
  return rewarded;
end $$;

-- Ends it without a reward, or takes the rewards back.
create or replace function private.reject_referral(r private.referral, rejection public.referral_rejection, at timestamptz) returns private.referral
language plpgsql volatile security definer set search_path = '' as $$
declare
  rejected private.referral;
  side record;
begin
  update private.referral f set status = 'REJECTED', rejection = reject_referral.rejection, ended_at = at where f.id = r.id returning * into rejected;
  if r.status = 'REWARDED' then
    for side in select * from (values (r.referrer_id, r.referrer_amount), (r.referee_id, r.referee_amount)) s (person, amount)
      where s.amount > 0 order by s.person loop
      perform private.claw_back_credit(side.person, r.currency, side.amount, 'referral ' || r.id, r.id);
    end loop;
  end if;
  perform private.emit_referral(rejected, case when r.status = 'REWARDED' then 'ReferralClawedBack' else 'ReferralRejected' end);
  return rejected;
end $$;

-- Adds what is suspicious by now; what was found stays, even if the card or the phone is changed. An ADMIN's approval covers what he has seen.
create or replace function private.flag_referral(r private.referral) returns private.referral
language plpgsql volatile security definer set search_path = '' as $$
declare
  found_now text[] := array(select distinct f from unnest(r.flags || private.referral_flags(r)) f order by f);
  flagged private.referral;
begin
  if found_now = r.flags then
    return r;
  end if;
  update private.referral f set flags = found_now, review = case when found_now <@ f.reviewed_flags then f.review else 'PENDING' end
  where f.id = r.id returning * into flagged;
  if flagged.review = 'PENDING' and r.review is distinct from 'PENDING' then
    perform private.emit('ReferralFlagged', jsonb_build_object('referralId', r.id, 'flags', flagged.flags));
  end if;
  return flagged;
end $$;

-- The one way a referral moves on. `at` is the moment that counts: a job's own, else now. What happened, or null.
create or replace function private.settle_referral(referral_id uuid, at timestamptz) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  r private.referral := private.lock_referral(referral_id);
  kept record;
  paid record;
  happened text;
begin
  if r.id is null or r.status in ('REJECTED', 'EXPIRED') then
    return null;
  end if;
  kept := private.money_kept(r.session_id);
  if r.status = 'REWARDED' then
    if kept.amount >= r.minimum_paid then
      return null;
    end if;
    perform private.reject_referral(r, 'REFUNDED', at);
    return 'clawed_back';
  end if;
  if r.status = 'QUALIFIED' and kept.amount < r.minimum_paid then
    update private.referral f set status = 'SIGNED_UP', session_id = null, currency = null, referrer_amount = null, referee_amount = null,
      minimum_paid = null, hold_until = null
    where f.id = r.id returning * into r;
    happened := 'unqualified';
  end if;
  if r.status = 'SIGNED_UP' then
    paid := private.qualifying_session(r);
    if paid.session_id is not null then
      update private.referral f set status = 'QUALIFIED', session_id = paid.session_id, currency = paid.currency, referrer_amount = paid.referrer_amount,
        referee_amount = paid.referee_amount, minimum_paid = paid.minimum_paid,
        hold_until = paid.since + make_interval(days => (private.setting('referrals') ->> 'holdDays')::integer)
      where f.id = r.id returning * into r;
      kept := private.money_kept(r.session_id);
      perform private.emit_referral(r, 'ReferralQualified');
      happened := 'qualified';
    elsif at >= r.expires_at then
      update private.referral f set status = 'EXPIRED', ended_at = at where f.id = r.id returning * into r;
      perform private.emit_referral(r, 'ReferralExpired');
      return 'expired';
    elsif happened is not null then
      perform private.emit_referral(r, 'ReferralUnqualified');
    end if;
  end if;
  r := private.flag_referral(r);
  if r.status = 'QUALIFIED' and at >= r.hold_until and r.review is distinct from 'PENDING' and not kept.contested
     and not exists (select 1 from public.user_account u where u.id in (r.referrer_id, r.referee_id) and u.status = 'SUSPENDED') then
    perform private.reward_referral(r, at);
    happened := 'rewarded';
  end if;
  return happened;
end $$;

-- An account that is deleted takes its code along, and what it might have earned as a referee. The caller holds the account's row.
create or replace function private.close_referrals(gone uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  r private.referral;
begin
  update private.referral_code c set retired_at = private.now() where c.user_id = gone and c.retired_at is null;
  select * into r from private.referral f where f.referee_id = gone and f.status in ('SIGNED_UP', 'QUALIFIED') for update;
  if r.id is not null then
    perform private.reject_referral(r, 'ACCOUNT_CLOSED', private.now());
  end if;
end $$;
