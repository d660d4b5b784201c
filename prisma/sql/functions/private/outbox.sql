-- A domain event, written in the transaction that made it true; outbox_relay is the only publisher.
create or replace function private.emit(type text, payload jsonb) returns void
language sql volatile security definer set search_path = '' as $$
  insert into private.outbox_event (type, payload, occurred_at) values (emit.type, emit.payload, private.now());
$$;
