-- The relay's two steps. Claiming leases a batch in order of its writing; a relay that dies between claim and mark leaves a lease that runs
-- out, and the event is published again: at least once, and consumers apply an event id once.
create or replace function public.claim_outbox_events(batch integer, lease_seconds integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  claimed jsonb;
begin
  perform private.require_service();
  with due as (
    select e.id from private.outbox_event e
    where e.published_at is null and coalesce(e.claimed_until, '-infinity') < pg_catalog.clock_timestamp()
    order by e.sequence limit batch for update skip locked),
  leased as (
    update private.outbox_event e
    set claimed_until = pg_catalog.clock_timestamp() + make_interval(secs => lease_seconds), attempts = e.attempts + 1
    from due where e.id = due.id returning e.*)
  select coalesce(jsonb_agg(jsonb_build_object(
      'id', l.id, 'type', l.type, 'payload', l.payload, 'occurred_at', l.occurred_at) order by l.sequence), '[]')
  into claimed from leased l;
  return private.answer(200, jsonb_build_object('events', claimed));
end $$;

create or replace function public.mark_outbox_published(event_ids uuid[]) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  marked integer;
begin
  perform private.require_service();
  update private.outbox_event e set published_at = pg_catalog.clock_timestamp(), claimed_until = null
  where e.id = any (event_ids) and e.published_at is null;
  get diagnostics marked = row_count;
  return private.answer(200, jsonb_build_object('published', marked));
end $$;
