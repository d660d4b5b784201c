-- Referrals that were rewarded count towards achievements.
alter type public.achievement_metric add value if not exists 'REFERRALS_REWARDED';
