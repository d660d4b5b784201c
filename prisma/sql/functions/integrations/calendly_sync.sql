-- How far the sync of each coach has got. Every step is one page of Calendly's and one call here that keeps the page and the next cursor together,
-- so that a sync can be killed anywhere and goes on where it was when its lease has run out.

-- Coaches whose sync is due, oldest first (or the one that is asked for), leased for `lease_seconds`; each further step renews the lease.
create or replace function public.claim_calendly_syncs(batch integer, lease_seconds integer, only_coach uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  claimed jsonb;
begin
  perform private.require_service();
  with due as (
    select s.coach_id from private.calendly_sync s join private.calendly_connection c on c.coach_id = s.coach_id and c.status = 'CONNECTED'
    where (s.due_at <= private.now() or only_coach is not null) and coalesce(s.leased_until, '-infinity') < pg_catalog.clock_timestamp()
      and (only_coach is null or s.coach_id = only_coach)
    order by s.due_at limit batch for update of s skip locked),
  leased as (
    update private.calendly_sync s
    set leased_until = pg_catalog.clock_timestamp() + make_interval(secs => lease_seconds), run_started_at = coalesce(s.run_started_at, private.now())
    from due where s.coach_id = due.coach_id returning s.*)
  select coalesce(jsonb_agg(jsonb_build_object('coach_id', l.coach_id, 'phase', l.phase, 'cursor', l.cursor, 'webhook_uri', l.webhook_uri,
      'run_started_at', l.run_started_at, 'user_uri', c.user_uri, 'organization_uri', c.organization_uri) order by l.due_at), '[]')
  into claimed from leased l join private.calendly_connection c on c.coach_id = l.coach_id;
  return private.answer(200, jsonb_build_object('syncs', claimed));
end $$;

create or replace function private.step_calendly_sync(coach uuid, next_phase text, next_cursor text, lease_seconds integer) returns void
language sql volatile security definer set search_path = '' as $$
  update private.calendly_sync s set
    phase = next_phase, cursor = next_cursor, leased_until = pg_catalog.clock_timestamp() + make_interval(secs => lease_seconds)
  where s.coach_id = coach;
$$;

create or replace function public.advance_calendly_sync(coach_id uuid, phase text, cursor text, lease_seconds integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  perform private.step_calendly_sync(coach_id, phase, cursor, lease_seconds);
  return private.answer(200, '{}');
end $$;

create or replace function public.keep_calendly_webhook(coach_id uuid, uri text, state text, lease_seconds integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  update private.calendly_sync s set webhook_uri = uri, webhook_state = state, seen = '{}' where s.coach_id = keep_calendly_webhook.coach_id;
  perform private.step_calendly_sync(coach_id, 'EVENT_TYPES', null, lease_seconds);
  return private.answer(200, '{}');
end $$;

-- A page of event types. After the last one (`cursor` null) those that no page of this run named are inactive.
create or replace function public.keep_calendly_event_types(coach_id uuid, event_types jsonb, cursor text, lease_seconds integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  changed integer;
  missing integer := 0;
begin
  perform private.require_service();
  changed := private.keep_calendly_event_types(coach_id, event_types);
  update private.calendly_sync s
  set seen = array(select distinct u from unnest(s.seen || array(select t ->> 'uri' from jsonb_array_elements(event_types) t)) u)
  where s.coach_id = coach_id;
  if cursor is null then
    update private.calendly_event_type e set active = false, version = e.version + 1, updated_at = private.now()
    where e.coach_id = coach_id and e.active
      and not exists (select 1 from private.calendly_sync s where s.coach_id = coach_id and e.uri = any (s.seen));
    get diagnostics missing = row_count;
  end if;
  perform private.step_calendly_sync(coach_id, case when cursor is null then 'EVENTS' else 'EVENT_TYPES' end, cursor, lease_seconds);
  return private.answer(200, jsonb_build_object('changed', changed + missing));
end $$;

-- Of a page of events, those whose invitees have to be asked for: unknown, changed since, or begun lately (a no-show changes no time of Calendly's).
create or replace function public.stale_calendly_events(coach_id uuid, events jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_service();
  return (
    select coalesce(jsonb_agg(e.uri order by e.starts_at, e.uri), '[]')
    from jsonb_to_recordset(events) as e (uri text, starts_at timestamptz, changed_at timestamptz, canceled boolean)
    where e.starts_at between private.now() - interval '2 days' and private.now()
       or not exists (select 1 from private.calendly_booking b
                      where b.event_uri = e.uri and b.coach_id = stale_calendly_events.coach_id
                        and b.event_changed_at >= e.changed_at and b.canceled = e.canceled and b.outcome not in ('NEW', 'MOVING')));
end $$;

-- What is busy in the coach's other calendars in one period; whether that changed anything. After the last period (`cursor` null) the run is over.
create or replace function public.keep_calendly_busy(
  coach_id uuid, from_at timestamptz, to_at timestamptz, intervals jsonb, cursor text, lease_seconds integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  wanted jsonb;
  stored jsonb;
  changed boolean;
begin
  perform private.require_service();
  perform 1 from public.coach_profile p where p.user_id = coach_id for no key update;
  select coalesce(jsonb_agg(distinct jsonb_build_array(greatest((i ->> 0)::timestamptz, from_at), least((i ->> 1)::timestamptz, to_at))), '[]') into wanted
  from jsonb_array_elements(intervals) i
  where greatest((i ->> 0)::timestamptz, from_at) < least((i ->> 1)::timestamptz, to_at);
  select coalesce(jsonb_agg(distinct jsonb_build_array(greatest(b.starts_at, from_at), b.ends_at)), '[]') into stored
  from private.calendly_busy b where b.coach_id = coach_id and b.starts_at < to_at and b.ends_at > from_at;
  changed := wanted <> stored and exists (select 1 from private.calendly_connection c where c.coach_id = coach_id and c.status <> 'DISCONNECTED');
  if changed then
    delete from private.calendly_busy b where b.coach_id = coach_id and b.starts_at < to_at and b.ends_at > from_at;
    insert into private.calendly_busy (coach_id, starts_at, ends_at)
    select coach_id, (i ->> 0)::timestamptz, (i ->> 1)::timestamptz from jsonb_array_elements(wanted) i;
    perform private.bump_availability_of(coach_id);
  end if;
  delete from private.calendly_busy b where b.coach_id = coach_id and b.ends_at < private.now() - interval '1 day';
  if cursor is null then
    perform private.end_calendly_sync(coach_id, null);
  else
    perform private.step_calendly_sync(coach_id, 'BUSY', cursor, lease_seconds);
  end if;
  return private.answer(200, jsonb_build_object('changed', changed));
end $$;

-- The next run is due a quarter of an hour after this one began, a minute less so that the schedule does not miss it.
create or replace function private.end_calendly_sync(coach uuid, error text) returns void
language sql volatile security definer set search_path = '' as $$
  update private.calendly_sync s set
    phase = 'WEBHOOK', cursor = null, seen = '{}', due_at = s.run_started_at + interval '14 minutes',
    run_started_at = null, leased_until = null, finished_at = private.now(), last_error = left(error, 500)
  where s.coach_id = coach;
$$;

-- Ends a run that cannot go on now: it is due again in `seconds`, where it stopped; or is over, with what its last step found missing.
create or replace function public.release_calendly_sync(coach_id uuid, error text, seconds integer, over boolean default false) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  if over then
    perform private.end_calendly_sync(coach_id, error);
  else
    update private.calendly_sync s set
      leased_until = null, last_error = left(error, 500), due_at = private.now() + make_interval(secs => seconds)
    where s.coach_id = release_calendly_sync.coach_id;
  end if;
  return private.answer(200, '{}');
end $$;
