-- One row for each field of a member that changed: who, when, from what to what. Values live here and not in private.audit_log, which
-- nobody can erase (ADR 015); the audit log says which fields, and by whom.
create or replace function private.track_member() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  before jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) else '{}' end - array['user_id', 'version', 'created_at', 'updated_at'];
  after jsonb := to_jsonb(new) - array['user_id', 'version', 'created_at', 'updated_at'];
  claims jsonb := nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb;
begin
  insert into public.member_change
    (user_id, version, field, old_value, new_value, actor_id, impersonator, database_role, request_id, reason, changed_at)
  select new.user_id, new.version, a.key, nullif(before -> a.key, 'null'), nullif(a.value, 'null'), private.actor_id(), claims #>> '{act,sub}',
         coalesce(claims ->> 'role', session_user), private.request_id(), nullif(pg_catalog.current_setting('coachline.reason', true), ''),
         new.updated_at
  from jsonb_each(after) a
  where a.value is distinct from coalesce(before -> a.key, 'null')
  order by a.key;
  return null;
end $$;

-- A transaction that began earlier may change a member later, after one it waited for: times of one member never run backwards.
create or replace function private.touch_member() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.version := old.version + 1;
  new.updated_at := greatest(private.now(), old.updated_at);
  return new;
end $$;

drop trigger if exists touch on public.member_profile;
create trigger touch before update on public.member_profile for each row execute function private.touch_member();
drop trigger if exists track on public.member_profile;
create trigger track after insert or update on public.member_profile for each row execute function private.track_member();

-- The audit log's line without the values.
create or replace function private.audit_member() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  claims jsonb := nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb;
  before jsonb := case when tg_op <> 'INSERT' then jsonb_strip_nulls(to_jsonb(old)) else '{}' end - array['user_id', 'version', 'created_at', 'updated_at'];
  after jsonb := case when tg_op <> 'DELETE' then jsonb_strip_nulls(to_jsonb(new)) else '{}' end - array['user_id', 'version', 'created_at', 'updated_at'];
  fields jsonb := (select jsonb_agg(k order by k) from jsonb_object_keys(before || after) k where before -> k is distinct from after -> k);
begin
  if fields is not null then
    insert into private.audit_log (occurred_at, actor_id, impersonator, database_role, request_id, action, table_name, row_id, after, reason)
    values (private.now(), private.actor_id(), claims #>> '{act,sub}', coalesce(claims ->> 'role', session_user), private.request_id(),
            tg_op, tg_table_name, coalesce(new.user_id, old.user_id)::text, jsonb_build_object('fields', fields),
            nullif(pg_catalog.current_setting('coachline.reason', true), ''));
  end if;
  return null;
end $$;

drop trigger if exists audit on public.member_profile;
create trigger audit after insert or update or delete on public.member_profile for each row execute function private.audit_member();

-- Append-only, until the person is deleted: then the values have to go.
create or replace function private.hold_member_change() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_op = 'DELETE' and exists (select 1 from public.user_account u where u.id = old.user_id and u.deleted_at is not null) then
    return old;
  end if;
  raise exception using errcode = '42501', message = 'member_change is append-only';
end $$;

drop trigger if exists append_only on public.member_change;
create trigger append_only before update or delete on public.member_change for each row execute function private.hold_member_change();
drop trigger if exists never_truncated on public.member_change;
create trigger never_truncated before truncate on public.member_change for each statement execute function private.refuse_change();
