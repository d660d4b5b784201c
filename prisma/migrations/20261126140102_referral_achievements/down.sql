-- Undoes 20261126140102_referral_achievements. Postgres cannot take a value out of an enumeration: it stays, unused.
delete from public.achievement_grant g using public.achievement_definition d where d.id = g.definition_id and d.metric = 'REFERRALS_REWARDED';
delete from public.achievement_definition where metric = 'REFERRALS_REWARDED';
