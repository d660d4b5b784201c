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
  if claimed.attempts >= private.webhook_attempts() then  -- the last of them ended without a word: a crash, or out of time
    perform private.give_up_webhook_event(claimed.id, 'The last attempt did not end.');
    return private.answer(200, jsonb_build_object('state', 'exhausted'));
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

-- For an event whose effects other calls have written: Stripe's mirror, what a coach asked of Calendly.
create or replace function public.finish_webhook_event(event_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  perform private.finish_webhook_event(event_id);
  return private.answer(200, '{}');
end $$;

create or replace function private.give_up_webhook_event(event_id uuid, error text) returns void
language sql volatile security definer set search_path = '' as $$
  update private.webhook_event e
  set last_error = left(give_up_webhook_event.error, 1000), leased_until = null, failed_at = private.now()
  where e.id = give_up_webhook_event.event_id and e.handled_at is null;
$$;

-- As many as the queue receives a message before it is a dead letter; then an operator decides.
create or replace function private.webhook_attempts() returns integer
language sql immutable set search_path = '' as $$ select 6; $$;

-- Gives a claimed event back: for another try, or for good because the payload can never be applied or was tried often enough.
create or replace function public.fail_webhook_event(event_id uuid, error text, permanent boolean) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  tried integer;
begin
  perform private.require_service();
  update private.webhook_event e set last_error = left(fail_webhook_event.error, 1000), leased_until = null
  where e.id = fail_webhook_event.event_id and e.handled_at is null returning e.attempts into tried;
  if permanent or tried >= private.webhook_attempts() then
    perform private.give_up_webhook_event(event_id, error);
  end if;
  return private.answer(200, '{}');
end $$;

-- What was stored and neither handled nor handed on lately: oldest first, each at most once per `quiet` seconds. One that has been tried
-- waits on its queue, for up to a quarter of an hour; one that an operator replays has neither been tried nor handed on.
create or replace function public.sweep_webhook_events(quiet_seconds integer, batch integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  waiting jsonb;
begin
  perform private.require_service();
  with due as (
    select e.id from private.webhook_event e
    where e.handled_at is null and e.failed_at is null
      and (e.enqueued_at is null and (e.replays > 0 or e.external_id like 'request:%')
        or coalesce(e.enqueued_at, e.received_at) < pg_catalog.clock_timestamp()
          - make_interval(secs => greatest(quiet_seconds, case when e.attempts > 0 then 1800 end)))
      and coalesce(e.leased_until, '-infinity') < pg_catalog.clock_timestamp()
    order by e.received_at limit batch for update skip locked),
  marked as (
    update private.webhook_event e set enqueued_at = pg_catalog.clock_timestamp() from due where e.id = due.id returning e.id, e.provider)
  select coalesce(jsonb_agg(jsonb_build_object('event_id', m.id, 'provider', m.provider)), '[]') into waiting from marked m;
  -- What nobody will ask for again goes with the same broom: expired idempotency keys, and events of the bus that no queue still holds
  -- (a dead letter is kept for 14 days).
  delete from private.idempotency_key k where k.created_at < pg_catalog.now() - interval '24 hours';
  delete from private.applied_event a where a.applied_at < pg_catalog.now() - interval '30 days';
  return private.answer(200, jsonb_build_object('events', waiting));
end $$;
