-- Undoes 20261126150101_referrals.
alter table private.payment_method drop column fingerprint;
drop index public.credit_entry_referral_id_idx;
alter table public.credit_entry drop constraint credit_entry_referral_id_fkey;
drop table private.referral, private.referral_code cascade;
drop type public.referral_status, public.referral_review, public.referral_rejection cascade;
