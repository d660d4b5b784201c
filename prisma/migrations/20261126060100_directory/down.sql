-- Undoes 20261126060100_directory. The triggers' functions go first: they write into tables that are dropped here.
drop function if exists private.count_session() cascade;
drop function if exists private.count_review() cascade;
drop function if exists private.list_coach() cascade;
drop index public.session_ahead_idx;
drop table private.coach_listing, private.metric_day, private.metric_delta, public.review cascade;
drop type public.review_status cascade;
alter table public.coach_profile drop column languages;
