-- Idempotency keys (draft-ietf-httpapi-idempotency-key-header), scoped to caller and route, kept 24 hours.
-- The API sends x-coachline-idempotency-key, -route and -fingerprint; without a key all three functions do nothing.

-- The stored answer of this key, if there is one, told as a replay: it may be older than the code that shows it. The read half of a write asks first, else a replay would find its own booking in the way.
create or replace function private.idempotent_answer() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  stored private.idempotency_key;
  wanted text := private.request_header('x-coachline-idempotency-key');
begin
  if wanted is null then
    return null;
  end if;
  select * into stored from private.idempotency_key k
  where k.caller_id = private.caller_id()
    and k.route = private.request_header('x-coachline-route')
    and k.key = wanted
    and k.created_at > pg_catalog.now() - interval '24 hours';
  if stored.key is null then
    return null;
  end if;
  if stored.fingerprint is distinct from private.request_header('x-coachline-fingerprint') then
    perform private.refuse(422, 'idempotency_key_reused', 'This Idempotency-Key was used for a different request. Send a new key.');
  end if;
  perform private.respond_with(jsonb_build_array(jsonb_build_object('Idempotent-Replayed', 'true')));
  return private.answer(stored.status, stored.body) || case when stored.status >= 400
    then jsonb_build_object('problem', stored.body) else '{}' end;
end $$;

-- Takes the key for this transaction, or refuses because a request with it is still running; then as above.
create or replace function private.begin_idempotent() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  key text := private.request_header('x-coachline-idempotency-key');
begin
  if key is null then
    return null;
  end if;
  if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(
      concat_ws('|', private.caller_id(), private.request_header('x-coachline-route'), key), 0)) then
    perform private.refuse(409, 'request_in_progress', 'A request with this Idempotency-Key is still running. Try again shortly.');
  end if;
  return private.idempotent_answer();
end $$;

-- Stores the answer beside the effect, in the same transaction, and hands it on.
create or replace function private.end_idempotent(answer jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  key text := private.request_header('x-coachline-idempotency-key');
begin
  if key is not null then
    insert into private.idempotency_key (caller_id, route, key, fingerprint, status, body)
    values (private.caller_id(), private.request_header('x-coachline-route'), key, private.request_header('x-coachline-fingerprint'),
            (answer ->> 'status')::integer, coalesce(answer -> 'problem', answer -> 'body'))
    on conflict on constraint idempotency_key_pkey do update
      set fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body, created_at = pg_catalog.now();
  end if;
  return answer;
end $$;

-- Keeps a refusal that the API decided on its own reading (slots), so that the same key is answered the same.
create or replace function public.record_refusal(status integer, problem jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  if private.caller_id() is null or status not between 400 and 499 then
    perform private.refuse(403, 'forbidden', 'There is nothing to record.');
  end if;
  return coalesce(private.begin_idempotent(), private.end_idempotent(jsonb_build_object('status', status, 'problem', problem)));
end $$;
