alter table private.meeting drop column actual_minutes;
alter table public.session drop column type;
