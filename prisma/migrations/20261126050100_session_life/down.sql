-- Undoes 20261126050100_session_life; what was recorded of reschedules, refunds and absence goes with it.
drop table private.session_reminder cascade;
drop index public.session_unfinished_idx;
alter table public.session_transition
  drop constraint session_transition_times_check,
  drop column version, drop column from_starts_at, drop column from_ends_at, drop column to_starts_at, drop column to_ends_at;
alter table public.session
  drop constraint session_reschedules_check, drop constraint session_refund_check, drop constraint session_no_show_check,
  drop constraint session_completed_check,
  drop column rescheduled_count, drop column mentee_reschedules, drop column rescheduled_at, drop column refund_percent,
  drop column refund_amount, drop column no_show_by, drop column completed_at;
