-- Undoes 20261126110101_goals.
drop table public.goal_event, public.goal_progress, public.goal cascade;
drop type public.goal_event_kind, public.goal_source, public.goal_counting, public.goal_direction, public.goal_status, public.goal_type cascade;
drop index public.session_completed_coach_idx, public.session_completed_mentee_idx, public.review_coach_id_created_at_idx, public.review_mentee_id_created_at_idx;
