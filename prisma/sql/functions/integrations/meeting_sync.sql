-- What Zoom is told of a session. The session is the truth: whoever syncs claims the row with a lease, is told the one thing to do to make
-- Zoom agree, does it, and records it with the same lease. Events only say that it may be time to look.

-- Null when there is to be none; what Zoom has been told already once the session is over.
create or replace function private.meeting_wanted(s public.session, m private.meeting) returns jsonb
language sql stable security definer set search_path = '' as $$
  select case
    when s.status in ('CANCELLED', 'EXPIRED', 'PENDING_PAYMENT') then null
    when s.status in ('COMPLETED', 'NO_SHOW') or s.ends_at <= private.now() then m.applied
    else jsonb_build_object(
      'topic', coalesce(m.topic, left('Coaching: ' || coalesce(private.display_name(s.mentee_id), 'mentee') || ' and '
                                      || coalesce(private.display_name(s.coach_id), 'coach'), 180)),
      'start_time', to_char(s.starts_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
      'duration', s.duration_minutes, 'timezone', s.coach_timezone, 'waiting_room', m.waiting_room) end;
$$;

create or replace function private.meeting_action(s public.session, m private.meeting) returns text
language sql stable security definer set search_path = '' as $$
  select case
    when private.meeting_wanted(s, m) is null then
      case when m.deleted_at is null and (m.zoom_id is not null or m.creations > 0) then 'delete' end
    when m.deleted_at is not null then null
    when m.zoom_id is null then 'create'
    when m.applied is distinct from private.meeting_wanted(s, m) then 'update' end;
$$;

-- Zoom carries out 100 creations and changes per host and UTC day. Half of them go out at once; then each meeting is changed at most every
-- quarter of an hour, to its latest state; the last 15 are kept for creations. Null when one was taken, else when there will be another.
create or replace function private.take_zoom_change(wanted_host text, action text, written_at timestamptz) returns timestamptz
language plpgsql volatile security definer set search_path = '' as $$
declare
  moment timestamptz := private.now();
  today date := (moment at time zone 'UTC')::date;
  taken integer;
begin
  insert into private.zoom_host_day (host, day, used) values (wanted_host, today, 0) on conflict do nothing;
  select d.used into taken from private.zoom_host_day d where d.host = wanted_host and d.day = today for update;
  if taken >= (case action when 'create' then 100 else 85 end) then
    return (today + 1)::timestamp at time zone 'UTC';
  elsif action = 'update' and taken >= 50 and written_at + interval '15 minutes' > moment then
    return written_at + interval '15 minutes';
  end if;
  update private.zoom_host_day d set used = d.used + 1 where d.host = wanted_host and d.day = today;
  return null;
end $$;

-- `hurried`: a queue has done the waiting after a failure. A limit is waited for in any case.
create or replace function public.claim_meeting(session_id uuid, default_host text, hurried boolean) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  s public.session;
  m private.meeting;
  action text;
  chosen text;
  later timestamptz;
begin
  perform private.require_service();
  select * into s from public.session x where x.id = claim_meeting.session_id;
  if s.id is null then
    return private.answer(200, '{"action": "none"}');
  end if;
  insert into private.meeting (session_id) select s.id where s.status in ('SCHEDULED', 'IN_PROGRESS') on conflict do nothing;
  select * into m from private.meeting x where x.session_id = s.id for update;
  select * into s from public.session x where x.id = claim_meeting.session_id;  -- as it is now that the row is ours
  action := private.meeting_action(s, m);
  if m.session_id is null or action is null then
    update private.meeting x set due_at = null, limited = false where x.session_id = s.id and x.due_at is not null;
    return private.answer(200, '{"action": "none"}');
  elsif m.leased_until > pg_catalog.clock_timestamp() then
    return private.answer(200, '{"action": "leased"}');
  elsif m.due_at > private.now() and (m.limited or not hurried) then
    return private.answer(200, '{"action": "later"}');
  end if;
  chosen := coalesce(m.host, (select u.email::text from public.user_account u where u.id = s.coach_id and u.email_verified), default_host);
  if action in ('create', 'update') then
    later := private.take_zoom_change(chosen, action, m.written_at);
    if later is not null then
      update private.meeting x set due_at = later, limited = true where x.session_id = s.id;
      return private.answer(200, '{"action": "later"}');
    end if;
  end if;
  update private.meeting x set
    lease = gen_random_uuid(), leased_until = pg_catalog.clock_timestamp() + interval '2 minutes',
    due_at = private.now() + interval '2 minutes', limited = false,
    host = chosen, creations = x.creations + (action = 'create')::integer
  where x.session_id = s.id returning * into m;
  return private.answer(200, jsonb_build_object(
    'action', action, 'lease', m.lease, 'host', chosen, 'default_host', chosen = default_host, 'zoom_id', m.zoom_id,
    'search', m.zoom_id is null and (m.creations > 1 or action = 'delete'), 'wanted', private.meeting_wanted(s, m)));
end $$;

-- What came of it: 'created', 'updated', 'deleted'; 'lost' when Zoom no longer has the meeting, 'no_host' when the host is not of our
-- account; 'failed' to try again in so many seconds ('limited' not before); 'refused' until somebody changes something.
-- Answers whether there is something to do at once. A lease that ran out records nothing: the next one finds what was made.
create or replace function public.record_meeting(
  session_id uuid, lease uuid, outcome text, default_host text, wanted jsonb default null, zoom_id bigint default null, join_url text default null,
  error text default null, seconds integer default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  s public.session;
  m private.meeting;
begin
  perform private.require_service();
  select * into m from private.meeting x where x.session_id = record_meeting.session_id for update;
  if m.lease is distinct from record_meeting.lease then
    return private.answer(200, '{"again": false}');
  end if;
  update private.meeting x set
    lease = null, leased_until = null, limited = outcome = 'limited',
    due_at = case when outcome in ('failed', 'limited') then private.now() + make_interval(secs => seconds)
                  when outcome = 'refused' then 'infinity' end,
    failures = case when outcome in ('failed', 'limited', 'refused') then x.failures + 1 else 0 end,
    last_error = left(record_meeting.error, 500),
    zoom_id = case outcome when 'created' then record_meeting.zoom_id when 'lost' then null else x.zoom_id end,
    join_url = case outcome when 'created' then record_meeting.join_url when 'lost' then null else x.join_url end,
    applied = case when outcome in ('created', 'updated') then record_meeting.wanted when outcome = 'lost' then null else x.applied end,
    creations = case when outcome in ('lost', 'no_host') then 0 else x.creations end,
    host = case outcome when 'no_host' then default_host else x.host end,
    written_at = case when outcome in ('created', 'updated') then private.now() else x.written_at end,
    deleted_at = case outcome when 'deleted' then private.now() end
  where x.session_id = m.session_id returning * into m;
  if outcome = 'created' then
    perform private.emit('MeetingReady', jsonb_build_object('sessionId', m.session_id));
  elsif outcome = 'refused' then
    perform private.emit('MeetingFailed', jsonb_build_object('sessionId', m.session_id));
  end if;
  select * into s from public.session x where x.id = m.session_id;
  return private.answer(200, jsonb_build_object('again', outcome not in ('failed', 'limited', 'refused') and private.meeting_action(s, m) is not null));
end $$;

-- Sessions that Zoom should hear of and nobody is telling: an event was lost, a worker died, or its time has come.
create or replace function public.list_due_meetings(batch integer) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_service();
  return (select coalesce(jsonb_agg(due.id), '[]') from (
    (select m.session_id as id from private.meeting m
     where m.due_at <= private.now() and coalesce(m.leased_until, '-infinity') < pg_catalog.clock_timestamp() order by m.due_at limit batch)
    union
    (select s.id from public.session s left join private.meeting m on m.session_id = s.id
     where s.status = 'SCHEDULED' and s.ends_at > private.now() and m.session_id is null
       and s.updated_at < private.now() - interval '5 minutes' limit batch)) due);
end $$;
