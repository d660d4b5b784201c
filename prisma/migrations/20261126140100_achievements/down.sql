-- Undoes 20261126140100_achievements.
drop table public.achievement_grant, public.achievement_definition cascade;
drop type public.achievement_window, public.achievement_operator, public.achievement_metric, public.achievement_type cascade;
