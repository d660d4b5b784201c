-- A session's meeting as its two participants and ADMINs see it, and the links that open it.
create or replace function private.meeting_state(s public.session, m private.meeting) returns text
language sql stable security definer set search_path = '' as $$
  select case
    when s.status in ('CANCELLED', 'EXPIRED') then 'CANCELLED'
    when s.status in ('COMPLETED', 'NO_SHOW') or s.ends_at <= private.now() then 'ENDED'
    when m.due_at = 'infinity' then 'FAILED'
    when m.zoom_id is null then 'PENDING'
    when private.meeting_action(s, m) = 'update' then 'UPDATING'
    else 'READY' end;
$$;

create or replace function private.meeting_json(s public.session, m private.meeting) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'session_id', s.id, 'state', private.meeting_state(s, m), 'meeting_id', m.zoom_id::text,
    'topic', coalesce(private.meeting_wanted(s, m), m.applied) ->> 'topic', 'waiting_room', m.waiting_room,
    'start', s.starts_at, 'duration_minutes', s.duration_minutes,
    'join_from', s.starts_at - interval '15 minutes', 'join_until', s.ends_at + interval '30 minutes',
    'version', m.version, 'created_at', m.created_at);
$$;

-- The session, if the caller may know of it; else 404.
create or replace function private.own_session(wanted uuid, caller uuid, coach_only boolean default false) returns public.session
language plpgsql stable security definer set search_path = '' as $$
declare
  s public.session;
begin
  select * into s from public.session x
  where x.id = wanted and (caller in (x.coach_id, x.mentee_id) or private.caller_is('ADMIN'));
  if s.id is null then
    perform private.refuse(404, 'not_found', 'There is no such session.');
  end if;
  if coach_only and caller <> s.coach_id and not private.caller_is('ADMIN') then
    perform private.refuse(403, 'forbidden', 'Only the coach may do this.');
  end if;
  return s;
end $$;

create or replace function private.meeting_of(session uuid) returns private.meeting
language plpgsql stable security definer set search_path = '' as $$
declare
  m private.meeting;
begin
  select * into m from private.meeting x where x.session_id = session;
  if m.session_id is null then
    perform private.refuse(404, 'meeting_not_found', 'This session has no meeting yet.');
  end if;
  return m;
end $$;

create or replace function public.get_meeting(session_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  s public.session := private.own_session(session_id, private.require_caller('meeting:read'));
begin
  return private.meeting_json(s, private.meeting_of(s.id));
end $$;

-- Asks for a meeting at once: one that is missing, or one that Zoom refused. Making it takes a moment; one that is there is answered.
create or replace function public.request_meeting(session_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  caller uuid := private.require_caller('meeting:manage');
  answer jsonb := private.begin_idempotent();
  s public.session;
  m private.meeting;
begin
  if answer is not null then
    return answer;
  end if;
  s := private.own_session(request_meeting.session_id, caller, coach_only => true);
  if s.status not in ('SCHEDULED', 'IN_PROGRESS') or s.ends_at <= private.now() then
    return private.end_idempotent(private.refused(409, 'session_not_scheduled', 'Only a session that is still to come has a meeting.'));
  end if;
  insert into private.meeting (session_id) values (s.id) on conflict do nothing;
  update private.meeting x set due_at = private.now() where x.session_id = s.id and x.due_at = 'infinity';
  select * into m from private.meeting x where x.session_id = s.id;
  perform private.emit('MeetingRequested', jsonb_build_object('sessionId', s.id));
  return private.end_idempotent(private.answer(202, private.meeting_json(s, m)));
end $$;

create or replace function public.update_meeting(session_id uuid, patch jsonb, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  s public.session := private.own_session(session_id, private.require_caller('meeting:manage'), coach_only => true);
  m private.meeting := private.meeting_of(s.id);
begin
  perform private.require_keys(patch, array['topic', 'waiting_room']);
  select * into m from private.meeting x where x.session_id = s.id for update;
  perform private.require_version(m.version, expected_version);
  if s.status not in ('SCHEDULED', 'IN_PROGRESS') then
    perform private.refuse(409, 'session_not_scheduled', 'Only the meeting of a session that is still to come can be changed.');
  end if;
  update private.meeting x set
    topic = case when patch ? 'topic' then patch ->> 'topic' else x.topic end,
    waiting_room = coalesce((patch ->> 'waiting_room')::boolean, x.waiting_room),
    due_at = nullif(x.due_at, 'infinity'), version = x.version + 1, updated_at = private.now()
  where x.session_id = s.id returning * into m;
  perform private.emit('MeetingRequested', jsonb_build_object('sessionId', s.id));
  return private.answer(200, private.meeting_json(s, m));
end $$;

-- Raw figures; Python makes attendance of them.
create or replace function public.get_meeting_metrics(session_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  s public.session := private.own_session(get_meeting_metrics.session_id, private.require_caller('meeting:read'));
  m private.meeting := private.meeting_of(s.id);
begin
  return jsonb_build_object(
    'session_id', s.id, 'start', s.starts_at, 'end', s.ends_at, 'now', private.now(), 'reconciled', m.reconciled_at is not null,
    'failures', m.failures,
    'instances', (select coalesce(jsonb_agg(jsonb_build_object('uuid', i.zoom_uuid, 'started_at', i.started_at, 'ended_at', i.ended_at)), '[]')
                  from private.meeting_instance i where i.session_id = s.id),
    'presences', (select coalesce(jsonb_agg(jsonb_build_object('uuid', p.zoom_uuid, 'is_host', p.is_host, 'joined_at', p.joined_at, 'left_at', p.left_at)), '[]')
                  from private.meeting_presence p where p.session_id = s.id));
end $$;

-- The meeting, if it is at Zoom and not over; else 409.
create or replace function private.ready_meeting(s public.session) returns private.meeting
language plpgsql stable security definer set search_path = '' as $$
declare
  m private.meeting := private.meeting_of(s.id);
begin
  if private.now() > s.ends_at + interval '30 minutes' then
    perform private.refuse(409, 'too_late', 'The meeting closed 30 minutes after the end.');
  elsif m.zoom_id is null then
    perform private.refuse(409, 'meeting_not_ready', 'The meeting is still being made. Try again in a moment.');
  end if;
  return m;
end $$;

-- The join link, to the two participants alone, from 15 minutes before the start to 30 after the end.
create or replace function private.join_link(session uuid, caller uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  s public.session := private.own_session(session, caller);
  m private.meeting;
begin
  if caller not in (s.coach_id, s.mentee_id) then
    perform private.refuse(403, 'forbidden', 'Only the two participants may join.');
  elsif s.status not in ('SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'NO_SHOW') then
    perform private.refuse(409, 'session_not_scheduled', 'This session does not take place.');
  elsif private.now() < s.starts_at - interval '15 minutes' then
    perform private.refuse(409, 'too_early', 'The meeting opens 15 minutes before the start.',
      jsonb_build_object('opensAt', to_char((s.starts_at - interval '15 minutes') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')));
  end if;
  m := private.ready_meeting(s);
  return jsonb_build_object('join_url', m.join_url, 'join_until', s.ends_at + interval '30 minutes');
end $$;

create or replace function public.join_meeting(session_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('meeting:join');
  link jsonb := private.join_link(session_id, caller);
begin
  perform private.note_access(session_id, caller, 'JOIN');
  return private.answer(200, link);
end $$;

-- Under maintenance nothing is written, and a session that has begun goes on: the API writes the access to its log instead.
create or replace function public.peek_join_link(session_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  return private.join_link(session_id, private.require_caller('meeting:join'));
end $$;

create or replace function private.note_access(session uuid, caller uuid, link text) returns void
language sql volatile security definer set search_path = '' as $$
  insert into private.meeting_access (session_id, user_id, link, request_id, occurred_at)
  values (session, caller, link, private.request_id(), private.now());
$$;

-- Which meeting the coach may start; the link itself is Zoom's to give, each time anew.
create or replace function public.open_meeting(session_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('meeting:start');
  s public.session := private.own_session(session_id, caller);
  m private.meeting;
begin
  if caller <> s.coach_id then
    perform private.refuse(403, 'forbidden', 'Only the coach may start the meeting.');
  elsif s.status not in ('SCHEDULED', 'IN_PROGRESS') then
    perform private.refuse(409, 'session_not_scheduled', 'This session does not take place.');
  end if;
  m := private.ready_meeting(s);
  perform private.note_access(s.id, caller, 'START');
  return private.answer(200, jsonb_build_object('zoom_id', m.zoom_id));
end $$;
