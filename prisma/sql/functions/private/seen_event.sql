-- Whether a consumer has applied an event of the bus already; if not, it has from now on, as soon as this transaction commits. First thing in
-- the function that has the effect, so that both happen or neither. Two at once: the second waits for the first, then sees it.
create or replace function private.seen_event(consumer text, event_id uuid) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into private.applied_event (consumer, event_id) values (seen_event.consumer, seen_event.event_id) on conflict do nothing;
  return not found;
end $$;
