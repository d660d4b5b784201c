-- The inbox as operators see it. What a provider sent is personal: they get its shape, and of its texts only ids, kinds and times.
create or replace function private.redacted(value jsonb, name text default '') returns jsonb
language sql immutable set search_path = '' as $$
  select case jsonb_typeof(value)
    when 'object' then (select coalesce(jsonb_object_agg(m.key, private.redacted(m.value, m.key)), '{}') from jsonb_each(value) m)
    when 'array' then (select coalesce(jsonb_agg(private.redacted(m.value, name) order by m.ordinality), '[]')
                       from jsonb_array_elements(value) with ordinality m)
    when 'string' then case when name ~ '^(id|uuid|.*_id|.*_uuid|type|event|object|status|uri|.*_at|.*_time)$' then value else '"[redacted]"' end
    else value end;
$$;

create or replace function private.webhook_event_state(e private.webhook_event) returns text
language sql immutable set search_path = '' as $$
  select case when e.handled_at is not null then 'HANDLED' when e.failed_at is not null then 'FAILED' else 'WAITING' end;
$$;

create or replace function private.webhook_event_json(e private.webhook_event) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'id', e.id, 'provider', e.provider, 'type', e.type, 'external_id', e.external_id, 'state', private.webhook_event_state(e),
    'attempts', e.attempts, 'replays', e.replays, 'last_error', e.last_error,
    'received_at', e.received_at, 'handled_at', e.handled_at, 'failed_at', e.failed_at);
$$;

-- Latest first; keyset on (received_at, id).
create or replace function public.list_webhook_events(
  wanted_provider text default null, wanted_state text default null, wanted_type text default null,
  before_at timestamptz default null, before_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_caller('webhook_event:read');
  return (
    select coalesce(jsonb_agg(private.webhook_event_json(page.wanted) order by page.received_at desc, page.id desc), '[]')
    from (
      select e as wanted, e.received_at, e.id from private.webhook_event e
      where (wanted_provider is null or e.provider = wanted_provider)
        and (wanted_type is null or e.type = wanted_type)
        and (wanted_state is null or private.webhook_event_state(e) = wanted_state)
        and (wanted_state is distinct from 'FAILED' or e.failed_at is not null)
        and (before_id is null or (e.received_at, e.id) < (before_at, before_id))
      order by e.received_at desc, e.id desc limit least(page_size, 101)) page);
end $$;

create or replace function public.get_webhook_event(event_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  wanted private.webhook_event;
begin
  perform private.require_caller('webhook_event:read');
  select * into wanted from private.webhook_event e where e.id = event_id;
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such event.');
  end if;
  return private.webhook_event_json(wanted) || jsonb_build_object('payload', private.redacted(wanted.payload));
end $$;

-- Sends an event on its way again: the next sweep hands it on, with all its attempts. One that is handled stays so, and one that is being
-- tried is left to that: asking twice does nothing more.
create or replace function public.replay_webhook_event(event_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('webhook_event:replay');
  answer jsonb := private.begin_idempotent();
  before private.webhook_event;
  after private.webhook_event;
begin
  if answer is not null then
    return answer;
  end if;
  select * into before from private.webhook_event e where e.id = event_id for update;
  if before.id is null then
    perform private.refuse(404, 'not_found', 'There is no such event.');
  end if;
  after := before;
  if before.failed_at is not null then
    update private.webhook_event e
    set failed_at = null, attempts = 0, enqueued_at = null, leased_until = null, replays = e.replays + 1
    where e.id = before.id returning * into after;
    insert into private.audit_log (occurred_at, actor_id, database_role, request_id, action, table_name, row_id, before, after)
    values (private.now(), caller, 'authenticated', private.request_id(), 'REPLAY', 'webhook_event', before.id::text,
            private.webhook_event_json(before), private.webhook_event_json(after));
  end if;
  return private.end_idempotent(private.answer(202, private.webhook_event_json(after)));
end $$;
