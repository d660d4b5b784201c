-- Who was in a meeting and when, from Zoom's events and from its report; in any order, as often as they come.

-- From the first start to the last end that is known; null until an end is.
create or replace function private.actual_minutes(session uuid) returns integer
language sql stable security definer set search_path = '' as $$
  -- greatest() alone would make 0 of nothing.
  select case when max(i.ended_at) is not null and min(i.started_at) is not null
    then greatest(0, round(extract(epoch from max(i.ended_at) - min(i.started_at)) / 60))::integer end
  from private.meeting_instance i where i.session_id = session;
$$;

-- Keeps a meeting's length. Holds its session: either the session's figures see the length, or this sees that it is completed (count_meeting).
create or replace function private.measure_meeting() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  held uuid := coalesce(new.session_id, old.session_id);
begin
  perform 1 from public.session s where s.id = held for no key update;
  update private.meeting m set actual_minutes = private.actual_minutes(held)
  where m.session_id = held and m.actual_minutes is distinct from private.actual_minutes(held);
  return null;
end $$;

create or replace function private.note_instance(session uuid, uuid text, started timestamptz, ended timestamptz) returns void
language sql volatile security definer set search_path = '' as $$
  insert into private.meeting_instance as i (zoom_uuid, session_id, started_at, ended_at) values (uuid, session, started, ended)
  on conflict (zoom_uuid) do update set
    started_at = least(i.started_at, excluded.started_at), ended_at = greatest(i.ended_at, excluded.ended_at);
$$;

create or replace function private.note_presence(session uuid, uuid text, who text, host boolean, joined timestamptz, gone timestamptz) returns void
language sql volatile security definer set search_path = '' as $$
  insert into private.meeting_presence as p (session_id, zoom_uuid, participant, is_host, joined_at, left_at)
  values (session, uuid, who, host, joined, gone)
  on conflict on constraint meeting_presence_pkey do update set
    is_host = p.is_host or excluded.is_host, joined_at = least(p.joined_at, excluded.joined_at), left_at = greatest(p.left_at, excluded.left_at);
$$;

-- One stored event and the mark that it is handled. A meeting that is not ours is nobody's business here.
create or replace function public.apply_zoom_event(
  event_id uuid, kind text, zoom_id bigint, zoom_uuid text, at timestamptz, participant text default null, is_host boolean default false)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  session uuid;
  ended boolean;
begin
  perform private.require_service();
  select m.session_id into session from private.meeting m where m.zoom_id = apply_zoom_event.zoom_id for update;
  if session is not null then
    ended := exists (select 1 from private.meeting_instance i where i.session_id = session and i.ended_at is not null);
    case kind
      when 'meeting.started' then perform private.note_instance(session, apply_zoom_event.zoom_uuid, at, null);
      when 'meeting.ended' then perform private.note_instance(session, apply_zoom_event.zoom_uuid, null, at);
      when 'meeting.participant_joined' then perform private.note_presence(session, apply_zoom_event.zoom_uuid, participant, is_host, at, null);
      when 'meeting.participant_left' then perform private.note_presence(session, apply_zoom_event.zoom_uuid, participant, is_host, null, at);
    end case;
    if kind = 'meeting.ended' and not ended then
      perform private.emit('MeetingEnded', jsonb_build_object('sessionId', session, 'endedAt', at));
    end if;
  end if;
  perform private.finish_webhook_event(event_id);
  return private.answer(200, jsonb_build_object('ours', session is not null));
end $$;

-- Meetings whose session ended a while ago (Zoom's report takes its time), oldest first, that were not compared with the report yet.
create or replace function public.list_unreconciled_meetings(batch integer) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_service();
  return (select coalesce(jsonb_agg(jsonb_build_object('session_id', due.session_id, 'zoom_id', due.zoom_id) order by due.ends_at), '[]') from (
    select m.session_id, m.zoom_id, s.ends_at from private.meeting m join public.session s on s.id = m.session_id
    where m.reconciled_at is null and m.zoom_id is not null and m.deleted_at is null
      and s.ends_at < private.now() - interval '30 minutes' and s.ends_at > private.now() - interval '30 days'
    order by s.ends_at limit batch) due);
end $$;

-- `instances`: [{uuid, started_at, ended_at, presences: [{participant, is_host, joined_at, left_at}]}].
create or replace function public.reconcile_meeting(session_id uuid, instances jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  instance jsonb;
  presence jsonb;
begin
  perform private.require_service();
  for instance in select jsonb_array_elements(instances) loop
    perform private.note_instance(session_id, instance ->> 'uuid', (instance ->> 'started_at')::timestamptz, (instance ->> 'ended_at')::timestamptz);
    for presence in select jsonb_array_elements(instance -> 'presences') loop
      perform private.note_presence(session_id, instance ->> 'uuid', presence ->> 'participant', (presence ->> 'is_host')::boolean,
        (presence ->> 'joined_at')::timestamptz, (presence ->> 'left_at')::timestamptz);
    end loop;
  end loop;
  update private.meeting m set reconciled_at = private.now() where m.session_id = reconcile_meeting.session_id;
  return private.answer(200, '{}');
end $$;

-- Who books at Calendly is told where by Calendly: an empty meeting of ours says nothing.
create or replace function private.met_elsewhere(session uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select 1 from private.calendly_booking b where b.session_id = session);
$$;

-- Whether a session ought to wait for Zoom's report before it is closed: two hours at most, so that no outage of Zoom's keeps one open.
create or replace function private.awaits_attendance(s public.session, at timestamptz) returns boolean
language sql stable security definer set search_path = '' as $$
  select at < s.ends_at + interval '2 hours' and exists (
    select 1 from private.meeting m
    where m.session_id = s.id and m.zoom_id is not null and m.deleted_at is null and m.reconciled_at is null)
    and not private.met_elsewhere(s.id);
$$;

-- Who came, for the job that closes sessions: `coach` and `mentee`, or null when it is not known. Only once the report was read, since an
-- event of somebody's coming may have been lost. Who had left before the start (coaches try the room) did not come. A meeting that took
-- place had somebody in it: when neither events nor the report say whom, that is not known either.
create or replace function private.meeting_attendance(session uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  with known as (
    select s.id, s.starts_at, s.ends_at from private.meeting m join public.session s on s.id = m.session_id
    where m.session_id = session and m.zoom_id is not null and m.reconciled_at is not null and not private.met_elsewhere(session)),
  came as (
    select p.is_host from known k join private.meeting_presence p on p.session_id = k.id
    left join private.meeting_instance i on i.zoom_uuid = p.zoom_uuid
    where coalesce(p.left_at, i.ended_at, 'infinity') > k.starts_at and coalesce(p.joined_at, i.started_at, '-infinity') < k.ends_at)
  select jsonb_build_object('coach', exists (select 1 from came where is_host), 'mentee', exists (select 1 from came where not is_host))
  from known k
  where exists (select 1 from came) or not exists (
    select 1 from private.meeting_instance i
    where i.session_id = k.id and coalesce(i.ended_at, 'infinity') > k.starts_at and coalesce(i.started_at, '-infinity') < k.ends_at);
$$;
