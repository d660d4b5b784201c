-- Undoes 20261126040100_bounded_schedules.
alter table public.availability_schedule drop constraint availability_schedule_bounded_check;
