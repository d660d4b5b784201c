-- What happened to a session, oldest first; keyset on the row's id. Coaches may move a session as often as they like, so it has no bound.
create or replace function public.get_session_history(session_id uuid, after_id bigint default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('session:read');
begin
  if not exists (select 1 from public.session s where s.id = session_id and private.actor_in(s, caller) is not null) then
    perform private.refuse(404, 'not_found', 'There is no such session.');
  end if;
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
        'id', t.id, 'from_status', t.from_status, 'to_status', t.to_status, 'actor', t.actor, 'actor_id', t.actor_id,
        'actor_name', private.display_name(t.actor_id), 'reason', t.reason, 'occurred_at', t.occurred_at, 'version', t.version,
        'previous_start', t.from_starts_at, 'previous_end', t.from_ends_at, 'start', t.to_starts_at, 'end', t.to_ends_at) order by t.id), '[]')
    from (select * from public.session_transition t
          where t.session_id = session_id and (after_id is null or t.id > after_id) order by t.id limit least(page_size, 101)) t);
end $$;
