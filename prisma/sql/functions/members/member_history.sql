-- The member as the changes up to an instant made him: of each field the last one. Null before there was anything.
-- A member's changes have ids and times in one order (triggers/member_change.sql), so either may be asked.
create or replace function private.member_as_of(subject uuid, at timestamptz) returns jsonb
language sql stable security definer set search_path = '' as $$
  select to_jsonb(jsonb_populate_record(null::public.member_profile, '{"designations": [], "languages": []}'))
         - array['user_id', 'version', 'created_at', 'updated_at'] || jsonb_object_agg(last.field, last.new_value)
  from (select distinct on (c.field) c.field, c.new_value from public.member_change c
        where c.user_id = subject and (at is null or c.changed_at <= at) order by c.field, c.id desc) last;
$$;

-- His changes up to `as_of`, latest first, keyset on id; and what he was then. For the member himself and for an ADMIN.
-- A write that begins with this (a revert) also needs his account's roles and version, and a former answer of its key.
create or replace function public.member_history(
  target uuid, as_of timestamptz default null, before_id bigint default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('member:read');
begin
  if (target <> caller and not private.caller_is('ADMIN'))
     or not exists (select 1 from public.user_account u where u.id = target and u.deleted_at is null) then
    perform private.refuse(404, 'not_found', 'There is no such member.');
  end if;
  return jsonb_build_object(
    'replay', private.idempotent_answer(),
    'roles', private.roles_of(target),
    'member', private.member_as_of(target, as_of),
    'changes', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'id', page.id, 'version', page.version, 'field', page.field, 'before', page.old_value, 'after', page.new_value,
        'actor_id', page.actor_id, 'reason', page.reason, 'at', page.changed_at) order by page.id desc), '[]')
      from (select * from public.member_change c
            where c.user_id = target and (as_of is null or c.changed_at <= as_of) and (before_id is null or c.id < before_id)
            order by c.id desc limit least(page_size, 101)) page));
end $$;
