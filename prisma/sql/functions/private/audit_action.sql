-- What is no change of a row and still has to be told: data that left, a file that was taken in.
create or replace function private.audit_action(action text, table_name text, row_id text, details jsonb) returns void
language sql volatile security definer set search_path = '' as $$
  insert into private.audit_log (occurred_at, actor_id, impersonator, database_role, request_id, action, table_name, row_id, after)
  values (private.now(), private.actor_id(), nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb #>> '{act,sub}',
          private.request_role(), private.request_id(), audit_action.action, audit_action.table_name, audit_action.row_id, audit_action.details);
$$;

-- Who answers for a change: the caller; or, when the service finishes what a person began, whom it names. Nobody else is believed.
create or replace function private.actor_id() returns uuid
language sql stable security definer set search_path = '' as $$
  select coalesce(private.caller_id(),
    case when private.request_role() = 'service_role' then nullif(pg_catalog.current_setting('coachline.actor', true), '')::uuid end);
$$;

create or replace function private.act_for(person uuid) returns void
language plpgsql volatile set search_path = '' as $$
begin
  perform pg_catalog.set_config('coachline.actor', person::text, true);
end $$;
