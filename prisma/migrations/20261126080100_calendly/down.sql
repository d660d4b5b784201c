-- Undoes 20261126080100_calendly. prisma/sql of the release before it is applied next, so functions that name these tables go with them.
drop table private.calendly_busy, private.calendly_booking, private.calendly_event_type, private.calendly_sync, private.calendly_state,
  private.calendly_token, private.calendly_connection cascade;
drop type public.calendly_outcome, public.calendly_status cascade;
