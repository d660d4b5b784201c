-- The inbox. A webhook is stored once and handed to its queue; one consumer claims it with a lease (a crash cannot wedge it: the lease
-- runs out) and applies effect and handled_at in one transaction; the sweeper hands on again what was stored and never handled.

-- Inserts or finds; says whether the event still needs a queue message (a stored event whose message was lost does).
create or replace function public.record_webhook_event(provider text, external_id text, type text, payload jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  stored private.webhook_event;
begin
  perform private.require_service();
  insert into private.webhook_event as e (provider, external_id, type, payload)
  values (record_webhook_event.provider, record_webhook_event.external_id, record_webhook_event.type, record_webhook_event.payload)
  on conflict (provider, external_id) do update set external_id = excluded.external_id
  returning * into stored;
  return private.answer(200, jsonb_build_object(
    'event_id', stored.id, 'needs_queue', stored.handled_at is null and stored.failed_at is null));
end $$;

create or replace function public.claim_webhook_event(event_id uuid, lease_seconds integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  claimed private.webhook_event;
begin
  perform private.require_service();
  select * into claimed from private.webhook_event e where e.id = claim_webhook_event.event_id for update;
  if claimed.id is null or claimed.handled_at is not null or claimed.failed_at is not null then
    return private.answer(200, jsonb_build_object('state', case when claimed.id is null then 'unknown' else 'done' end));
  end if;
  if claimed.leased_until > pg_catalog.clock_timestamp() then
    return private.answer(200, jsonb_build_object('state', 'leased'));
  end if;
  update private.webhook_event e
  set attempts = e.attempts + 1, leased_until = pg_catalog.clock_timestamp() + make_interval(secs => lease_seconds)
  where e.id = claimed.id;
  return private.answer(200, jsonb_build_object(
    'state', 'claimed', 'type', claimed.type, 'external_id', claimed.external_id, 'payload', claimed.payload, 'attempts', claimed.attempts + 1));
end $$;

-- Called inside the function that applies the effect.
create or replace function private.finish_webhook_event(event_id uuid) returns void
language sql volatile security definer set search_path = '' as $$
  update private.webhook_event e set handled_at = coalesce(e.handled_at, private.now()), failed_at = null, last_error = null, leased_until = null
  where e.id = finish_webhook_event.event_id;
$$;

-- Gives a claimed event back: for good (the payload can never be applied), or for another try.
create or replace function public.fail_webhook_event(event_id uuid, error text, permanent boolean) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  update private.webhook_event e
  set last_error = left(fail_webhook_event.error, 1000), leased_until = null,
      failed_at = case when permanent then private.now() end
  where e.id = fail_webhook_event.event_id and e.handled_at is null;
  return private.answer(200, '{}');
end $$;

-- What was stored and neither handled nor handed on lately: oldest first, each at most once per `quiet` seconds.
create or replace function public.sweep_webhook_events(quiet_seconds integer, batch integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  waiting jsonb;
begin
  perform private.require_service();
  with due as (
    select e.id from private.webhook_event e
    where e.handled_at is null and e.failed_at is null
      and coalesce(e.enqueued_at, e.received_at) < pg_catalog.clock_timestamp() - make_interval(secs => quiet_seconds)
      and coalesce(e.leased_until, '-infinity') < pg_catalog.clock_timestamp()
    order by e.received_at limit batch for update skip locked),
  marked as (
    update private.webhook_event e set enqueued_at = pg_catalog.clock_timestamp() from due where e.id = due.id returning e.id, e.provider)
  select coalesce(jsonb_agg(jsonb_build_object('event_id', m.id, 'provider', m.provider)), '[]') into waiting from marked m;
  -- Expired idempotency keys go with the same broom.
  delete from private.idempotency_key k where k.created_at < pg_catalog.now() - interval '24 hours';
  return private.answer(200, jsonb_build_object('events', waiting));
end $$;
