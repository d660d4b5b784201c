-- A VACATION, HOLIDAY or OVERRIDE outranks the everyday hours; without dates it would do so for good.
-- Not validated: rows from before stay as they are until they are edited.
alter table public.availability_schedule
  add constraint availability_schedule_bounded_check check (
    type in ('DEFAULT', 'TEMPORARY') or (valid_from is not null and valid_to is not null)) not valid;
