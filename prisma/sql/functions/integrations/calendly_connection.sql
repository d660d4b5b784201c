-- A coach's Calendly account: connected with a consent that is asked for here, kept with sealed tokens, let go of.

-- Starts a consent: a state that comes back once within ten minutes, and the challenge of a verifier that never leaves the service (RFC 7636).
create or replace function public.begin_calendly_consent() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('calendly:manage');
  -- Two random UUIDs are 244 bits from the operating system's generator.
  state text := replace(concat(gen_random_uuid(), gen_random_uuid()), '-', '');
  verifier text := replace(concat(gen_random_uuid(), gen_random_uuid()), '-', '');
begin
  if not exists (select 1 from public.coach_profile p where p.user_id = caller) then
    return private.refused(409, 'profile_required', 'Make a coach profile first: POST /api/coach/profile.');
  end if;
  delete from private.calendly_state s where s.expires_at <= private.now();
  insert into private.calendly_state (state_hash, coach_id, code_verifier, expires_at)
  values (private.state_hash(state), caller, verifier, private.now() + interval '10 minutes');
  return private.answer(200, jsonb_build_object('state', state, 'challenge',
    rtrim(translate(encode(pg_catalog.sha256(convert_to(verifier, 'utf8')), 'base64'), '+/', '-_'), '=')));
end $$;

create or replace function private.state_hash(state text) returns text
language sql immutable set search_path = '' as $$
  select encode(pg_catalog.sha256(convert_to(state, 'utf8')), 'hex');
$$;

-- Whose consent a state is, once; refused when it is unknown, used or late.
create or replace function public.redeem_calendly_consent(state text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  redeemed private.calendly_state;
begin
  perform private.require_service();
  delete from private.calendly_state s where s.state_hash = private.state_hash(state) returning * into redeemed;
  if redeemed.coach_id is null or redeemed.expires_at <= private.now() then
    return private.refused(400, 'state_invalid', 'This consent was used, is older than ten minutes, or was not asked for here. Start again.');
  end if;
  return private.answer(200, jsonb_build_object('coach_id', redeemed.coach_id, 'code_verifier', redeemed.code_verifier));
end $$;

create or replace function public.connect_calendly(coach_id uuid, account jsonb, access_token text, refresh_token text, expires_in integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
begin
  perform private.require_service();
  perform 1 from public.coach_profile p where p.user_id = coach_id for update;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(account ->> 'uri', 0));
  if exists (select 1 from private.calendly_connection c
             where c.user_uri = account ->> 'uri' and c.coach_id <> coach_id and c.status <> 'DISCONNECTED') then
    return private.refused(409, 'calendly_account_in_use', 'This Calendly account is connected to another coach. Disconnect it there first.');
  end if;
  update private.calendly_connection c set
    user_uri = account ->> 'uri', organization_uri = account ->> 'organization', email = account ->> 'email', name = account ->> 'name',
    timezone = account ->> 'timezone', scheduling_url = account ->> 'scheduling_url', status = 'CONNECTED', generation = c.generation + 1,
    connected_at = private.now(), updated_at = private.now()
  where c.coach_id = coach_id;
  if not found then
    insert into private.calendly_connection
      (coach_id, user_uri, organization_uri, email, name, timezone, scheduling_url, status, connected_at, updated_at)
    values (coach_id, account ->> 'uri', account ->> 'organization', account ->> 'email', account ->> 'name', account ->> 'timezone',
            account ->> 'scheduling_url', 'CONNECTED', private.now(), private.now());
  end if;
  insert into private.calendly_token as t (coach_id, access_token, refresh_token, expires_at)
  values (coach_id, access_token, refresh_token, private.now() + make_interval(secs => expires_in))
  on conflict on constraint calendly_token_pkey do update set
    access_token = excluded.access_token, refresh_token = excluded.refresh_token, expires_at = excluded.expires_at,
    version = t.version + 1, refreshing_until = null;
  insert into private.calendly_sync as s (coach_id, due_at) values (coach_id, private.now())
  on conflict on constraint calendly_sync_pkey do update set
    phase = 'WEBHOOK', cursor = null, seen = '{}', due_at = excluded.due_at, last_error = null, run_started_at = null;
  perform private.request_of_calendly('sync', coach_id);
  perform private.emit('CalendlyConnected', jsonb_build_object('coachId', coach_id));
  return private.answer(200, private.calendly_json(coach_id));
end $$;

-- What we want of Calendly goes through the inbox as what Calendly wants of us does: one queue, one consumer, retries, dead letters, replay.
create or replace function private.request_of_calendly(what text, coach_id uuid) returns void
language sql volatile security definer set search_path = '' as $$
  insert into private.webhook_event (provider, external_id, type, payload)
  select 'calendly', 'request:' || gen_random_uuid(), 'request.' || what, jsonb_build_object('coachId', c.coach_id, 'generation', c.generation)
  from private.calendly_connection c where c.coach_id = request_of_calendly.coach_id;
$$;

create or replace function private.calendly_json(coach_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce((
    select jsonb_build_object(
      'status', c.status, 'email', c.email, 'name', c.name, 'timezone', c.timezone, 'scheduling_url', c.scheduling_url,
      'connected_at', c.connected_at, 'last_synced_at', s.finished_at, 'webhook_state', s.webhook_state, 'last_error', s.last_error,
      'problems', (select jsonb_object_agg(p.outcome, p.count) from (
          select lower(b.outcome::text) as outcome, count(*) from private.calendly_booking b
          where b.coach_id = c.coach_id and not b.canceled and b.ends_at > private.now() and b.outcome in ('GUEST', 'UNMAPPED', 'MISMATCH', 'CLASH')
          group by b.outcome) p))
    from private.calendly_connection c left join private.calendly_sync s on s.coach_id = c.coach_id
    where c.coach_id = calendly_json.coach_id and c.status <> 'DISCONNECTED'),
    '{"status": "NOT_CONNECTED"}');
$$;

create or replace function public.get_calendly() returns jsonb
language sql stable security definer set search_path = '' as $$
  select private.calendly_json(private.require_caller('calendly:read'));
$$;

-- At once for the coach: what is busy elsewhere is forgotten. Tokens and subscription are given back by the consumer, however long Calendly is away.
create or replace function public.disconnect_calendly() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('calendly:manage');
begin
  perform 1 from public.coach_profile p where p.user_id = caller for update;
  update private.calendly_connection c set status = 'DISCONNECTED', updated_at = private.now()
  where c.coach_id = caller and c.status <> 'DISCONNECTED';
  if not found then
    perform private.refuse(404, 'not_found', 'No Calendly account is connected.');
  end if;
  delete from private.calendly_busy b where b.coach_id = caller;
  perform private.bump_availability_of(caller);
  perform private.request_of_calendly('disconnect', caller);
  perform private.emit('CalendlyDisconnected', jsonb_build_object('coachId', caller));
  return private.answer(204, 'null');
end $$;

create or replace function public.request_calendly_sync() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('calendly:manage');
  answer jsonb := private.begin_idempotent();
begin
  if answer is not null then
    return answer;
  end if;
  if not exists (select 1 from private.calendly_connection c where c.coach_id = caller and c.status = 'CONNECTED') then
    return private.end_idempotent(private.refused(409, 'calendly_not_connected', 'Connect a Calendly account first: GET /api/calendly/connect.'));
  end if;
  update private.calendly_sync s set due_at = least(s.due_at, private.now()) where s.coach_id = caller;
  -- One that still waits does what this one would.
  if not exists (select 1 from private.webhook_event e where e.type = 'request.sync' and e.payload ->> 'coachId' = caller::text
                 and e.handled_at is null and e.failed_at is null and e.provider = 'calendly' and e.attempts = 0) then
    perform private.request_of_calendly('sync', caller);
  end if;
  return private.end_idempotent(private.answer(202, private.calendly_json(caller)));
end $$;

create or replace function private.bump_availability_of(coach_id uuid) returns void
language sql volatile security definer set search_path = '' as $$
  update public.coach_profile p set availability_version = p.availability_version + 1 where p.user_id = bump_availability_of.coach_id;
$$;
