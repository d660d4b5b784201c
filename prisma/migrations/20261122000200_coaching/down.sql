-- Undoes 20261122000200_coaching. prisma/sql of the release before it is applied next, so functions that name these tables go with them.
drop table public.session_transition, public.session, public.availability_schedule, public.coach_rate, public.coach_profile cascade;
drop type public.session_actor, public.session_status, public.schedule_type, public.profile_status cascade;
