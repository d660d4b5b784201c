-- The audit log, newest first; keyset on id.
create or replace function public.list_audit(
  actor uuid default null, wanted_table text default null, wanted_row text default null, wanted_action text default null,
  wanted_request text default null, from_at timestamptz default null, to_at timestamptz default null,
  before_id bigint default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_caller('audit:read');
  return (
    select coalesce(jsonb_agg(to_jsonb(page) || jsonb_build_object('actor_name', private.display_name(page.actor_id)) order by page.id desc), '[]')
    from (
      select * from private.audit_log a
      where (actor is null or a.actor_id = actor) and (wanted_table is null or a.table_name = wanted_table)
        and (wanted_row is null or a.row_id = wanted_row) and (wanted_action is null or a.action = wanted_action)
        and (wanted_request is null or a.request_id = wanted_request)
        and (from_at is null or a.occurred_at >= from_at) and (to_at is null or a.occurred_at < to_at)
        and (before_id is null or a.id < before_id)
      order by a.id desc limit least(page_size, 101)) page);
end $$;
