-- What others' events and time do to referrals.

-- Something happened to a session or to its payment. Only states are compared, so it may be told any number of times.
create or replace function public.settle_referral(session_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  wanted uuid;
begin
  perform private.require_service();
  select r.id into wanted from public.session s join private.referral r on r.referee_id = s.mentee_id where s.id = settle_referral.session_id;
  return private.answer(200, jsonb_build_object('happened', private.settle_referral(wanted, private.now())));
end $$;

-- Holds that are over, codes that were redeemed and led to nothing in time, and sessions on account, of whose payment no event tells. As
-- functions/sessions/jobs.sql: a batch is a transaction, its people are locked first, each referral is looked at again once it is locked.
create or replace function public.advance_referrals(now_at timestamptz, batch integer, after_id uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  ids uuid[];
begin
  perform private.require_service();
  ids := array(
    select r.id from private.referral r
    where ((r.status = 'QUALIFIED' and r.hold_until <= now_at and r.review is distinct from 'PENDING')
        or (r.status = 'SIGNED_UP' and (r.expires_at <= now_at or exists (
              select 1 from private.session_on_account a where a.mentee_id = r.referee_id and a.session_invoice_id is not null))))
      and (after_id is null or r.id > after_id) order by r.id limit batch);
  perform 1 from public.user_account u
  where u.id in (select unnest(array[r.referrer_id, r.referee_id]) from private.referral r where r.id = any (ids)) order by u.id for no key update;
  return private.each_due('referral', 'settle_referral', ids, batch, now_at);
end $$;
