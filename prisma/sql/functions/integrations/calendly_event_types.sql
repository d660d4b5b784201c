-- Calendly's event types of a coach, and what he has made of them here.

-- What does not fit between an event type, its mapping and the coach's own limits: told, and bookings of such a length are not made sessions.
create or replace function private.calendly_mismatches(e private.calendly_event_type) returns text[]
language sql stable security definer set search_path = '' as $$
  select array_remove(array[
    case when not e.active then 'inactive' end,
    case when e.kind <> 'solo' then 'group' end,
    case when e.pooling_type is not null then 'shared_hosts' end,
    case when e.duration < p.minimum_duration then 'shorter_than_minimum' end,
    case when e.duration > p.maximum_duration then 'longer_than_maximum' end,
    case when e.mapped and (e.duration < e.minimum_duration or e.duration > e.maximum_duration) then 'outside_mapping' end,
    case when exists (select 1 from unnest(e.duration_options) o
                      where o < greatest(p.minimum_duration, e.minimum_duration) or o > least(p.maximum_duration, e.maximum_duration))
      then 'option_outside_limits' end,
    case when e.before_buffer < greatest(h.buffer_before, e.buffer_before) or e.after_buffer < greatest(h.buffer_after, e.buffer_after)
      then 'buffers_shorter_than_schedule' end], null)
  from public.coach_profile p
  left join public.availability_schedule h on h.coach_id = p.user_id and h.is_default
  where p.user_id = e.coach_id;
$$;

create or replace function private.calendly_event_type_json(e private.calendly_event_type) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', e.id, 'name', e.name, 'active', e.active, 'duration', e.duration, 'duration_options', e.duration_options, 'kind', upper(e.kind),
    'scheduling_url', e.scheduling_url, 'buffer_before', e.before_buffer, 'buffer_after', e.after_buffer,
    'mapping', case when e.mapped then jsonb_build_object('session_type', e.session_type, 'minimum_duration', e.minimum_duration,
      'maximum_duration', e.maximum_duration, 'buffer_before', e.buffer_before, 'buffer_after', e.buffer_after) end,
    'mismatches', private.calendly_mismatches(e), 'version', e.version, 'updated_at', e.updated_at);
$$;

create or replace function public.list_calendly_event_types(after_name text default null, after_id uuid default null, page_size integer default 25)
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('calendly:read');
begin
  return (
    select coalesce(jsonb_agg(private.calendly_event_type_json(page.mine) order by page.name, page.id), '[]')
    from (select e as mine, e.name, e.id from private.calendly_event_type e
          where e.coach_id = caller and (after_id is null or (e.name, e.id) > (after_name, after_id))
          order by e.name, e.id limit least(page_size, 101)) page);
end $$;

-- `mapping` null takes an event type out again: its bookings are kept, and no sessions are made of new ones.
create or replace function public.map_calendly_event_type(event_type_id uuid, mapping jsonb, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('calendly:manage');
  mine private.calendly_event_type;
begin
  perform 1 from public.coach_profile p where p.user_id = caller for no key update;
  select * into mine from private.calendly_event_type e where e.id = event_type_id and e.coach_id = caller for update;
  if mine.id is null then
    perform private.refuse(404, 'not_found', 'There is no such event type.');
  end if;
  perform private.require_version(mine.version, expected_version);
  if mapping is not null and mapping <> 'null' then
    if mine.kind <> 'solo' or mine.pooling_type is not null then
      return private.refused(409, 'not_one_to_one', 'A session has one coach and one mentee. Group events and shared hosts cannot be mapped.');
    end if;
    perform private.require_keys(mapping, array['session_type', 'minimum_duration', 'maximum_duration', 'buffer_before', 'buffer_after']);
    update private.calendly_event_type e set
      mapped = true, session_type = mapping ->> 'session_type', minimum_duration = (mapping ->> 'minimum_duration')::integer,
      maximum_duration = (mapping ->> 'maximum_duration')::integer, buffer_before = coalesce((mapping ->> 'buffer_before')::integer, 0),
      buffer_after = coalesce((mapping ->> 'buffer_after')::integer, 0), version = e.version + 1, updated_at = private.now()
    where e.id = mine.id returning * into mine;
  else
    update private.calendly_event_type e set
      mapped = false, session_type = null, minimum_duration = null, maximum_duration = null, buffer_before = 0, buffer_after = 0,
      version = e.version + 1, updated_at = private.now()
    where e.id = mine.id returning * into mine;
  end if;
  -- What was booked before is looked at again by the next sync.
  update private.calendly_sync s set due_at = private.now() where s.coach_id = caller;
  perform private.request_of_calendly('sync', caller);
  return private.answer(200, private.calendly_event_type_json(mine));
end $$;

-- Event types as Calendly says, each the newest that was seen; a repetition or an older one changes nothing. How many changed.
create or replace function private.keep_calendly_event_types(coach uuid, event_types jsonb) returns integer
language plpgsql volatile security definer set search_path = '' as $$
declare
  changed integer;
begin
  insert into private.calendly_event_type as e (coach_id, uri, name, active, duration, duration_options, kind, pooling_type, scheduling_url,
    before_buffer, after_buffer, changed_at, created_at, updated_at)
  select coach, t.uri, t.name, t.active, t.duration, coalesce(t.duration_options, '{}'), t.kind, t.pooling_type, t.scheduling_url,
         t.before_buffer, t.after_buffer, t.changed_at, private.now(), private.now()
  from jsonb_to_recordset(event_types) as t (uri text, name text, active boolean, duration integer, duration_options integer[], kind text,
    pooling_type text, scheduling_url text, before_buffer integer, after_buffer integer, changed_at timestamptz)
  on conflict (uri) do update set
    name = excluded.name, active = excluded.active, duration = excluded.duration, duration_options = excluded.duration_options,
    kind = excluded.kind, pooling_type = excluded.pooling_type, scheduling_url = excluded.scheduling_url,
    before_buffer = excluded.before_buffer, after_buffer = excluded.after_buffer, changed_at = excluded.changed_at,
    version = e.version + 1, updated_at = private.now()
  where e.coach_id = excluded.coach_id and e.changed_at <= excluded.changed_at
    and (e.name, e.active, e.duration, e.duration_options, e.kind, e.pooling_type, e.scheduling_url, e.before_buffer, e.after_buffer)
      is distinct from (excluded.name, excluded.active, excluded.duration, excluded.duration_options, excluded.kind, excluded.pooling_type,
                        excluded.scheduling_url, excluded.before_buffer, excluded.after_buffer);
  get diagnostics changed = row_count;
  return changed;
end $$;

-- A webhook's event type, of whoever owns it and is connected.
create or replace function public.apply_calendly_event_type(event_id uuid, owner_uri text, event_type jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  coach uuid := private.calendly_coach(array[owner_uri]);
begin
  perform private.require_service();
  if coach is not null then
    perform private.keep_calendly_event_types(coach, jsonb_build_array(event_type));
  end if;
  perform private.finish_webhook_event(event_id);
  return private.answer(200, '{}');
end $$;

-- The connected coach among the hosts of an event, in the order in which they are named.
create or replace function private.calendly_coach(host_uris text[]) returns uuid
language sql stable security definer set search_path = '' as $$
  select c.coach_id from private.calendly_connection c
  where c.user_uri = any (host_uris) and c.status <> 'DISCONNECTED'
  order by array_position(host_uris, c.user_uri) limit 1;
$$;
