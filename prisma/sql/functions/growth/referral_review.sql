-- What an ADMIN sees of a referral: both sides, and why it is suspicious.
create or replace function private.referral_review_json(r private.referral) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', r.id, 'status', r.status, 'code', r.code, 'referrer_id', r.referrer_id, 'referrer_name', private.display_name(r.referrer_id),
    'referee_id', r.referee_id, 'referee_name', private.display_name(r.referee_id), 'flags', r.flags, 'review', r.review,
    'reviewed_by', r.reviewed_by, 'reviewed_at', r.reviewed_at, 'review_reason', r.review_reason, 'rejection', r.rejection,
    'session_id', r.session_id, 'referrer_reward', private.money(r.referrer_amount, r.currency), 'referee_reward', private.money(r.referee_amount, r.currency),
    'capped', r.capped, 'redeemed_at', r.redeemed_at, 'expires_at', r.expires_at, 'hold_until', r.hold_until, 'rewarded_at', r.rewarded_at,
    'ended_at', r.ended_at, 'version', r.version);
$$;

-- Everybody's, latest first; keyset on (redeemed_at, id). `target`: those in which he is either side.
create or replace function public.list_all_referrals(
  wanted_status text default null, wanted_review text default null, target uuid default null,
  before_at timestamptz default null, before_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_caller('referral:review');
  return (
    select coalesce(jsonb_agg(private.referral_review_json(page.it) order by page.redeemed_at desc, page.id desc), '[]')
    from (
      select r as it, r.redeemed_at, r.id from private.referral r
      where (wanted_status is null or r.status = wanted_status::public.referral_status)
        and (wanted_review is null or r.review = wanted_review::public.referral_review)
        and (target is null or target in (r.referrer_id, r.referee_id))
        and (before_id is null or (r.redeemed_at, r.id) < (before_at, before_id))
      order by r.redeemed_at desc, r.id desc limit least(page_size, 101)) page);
end $$;

-- APPROVED lets a suspicious one go on, as far as it has come by now; REJECTED ends any that has not ended, and takes given rewards back.
create or replace function public.review_referral(referral_id uuid, decision text, reason text, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('referral:review');
  answer jsonb := private.begin_idempotent();
  moment timestamptz := private.now();
  r private.referral;
begin
  if answer is not null then
    return answer;
  end if;
  r := private.lock_referral(referral_id);
  if r.id is null then
    perform private.refuse(404, 'not_found', 'There is no such referral.');
  elsif decision not in ('APPROVED', 'REJECTED') or coalesce(reason, '') !~ '\S' then
    perform private.refuse(422, 'validation_failed', 'A referral is APPROVED or REJECTED, with a reason.');
  elsif caller in (r.referrer_id, r.referee_id) then
    return private.end_idempotent(private.refused(409, 'own_referral', 'You cannot decide about your own referral. Ask another ADMIN.'));
  end if;
  perform private.require_version(r.version, expected_version);
  if r.status in ('REJECTED', 'EXPIRED') then
    return private.end_idempotent(private.refused(409, 'invalid_transition', format('This referral is %s already.', r.status)));
  elsif decision = 'APPROVED' and r.review is distinct from 'PENDING' then
    return private.end_idempotent(private.refused(409, 'invalid_transition', 'Nothing about this referral waits for a decision.'));
  end if;
  perform private.because(reason);
  update private.referral f set review = decision::public.referral_review, reviewed_by = caller, reviewed_at = moment, review_reason = reason,
    reviewed_flags = case when decision = 'APPROVED' then f.flags else f.reviewed_flags end
  where f.id = r.id returning * into r;
  if decision = 'REJECTED' then
    perform private.reject_referral(r, 'REVIEW', moment);
  else
    perform private.settle_referral(r.id, moment);
  end if;
  select * into r from private.referral f where f.id = referral_id;
  return private.end_idempotent(private.answer(200, private.referral_review_json(r)));
end $$;
