-- Who changed what, before and after, when, and in which request. Attached by triggers/audit.sql to every table that people change.
-- An update keeps only the columns that differ. A reason comes from the function that makes the change (coachline.reason).
create or replace function private.audit() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  old_row jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  new_row jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  row_id text;
begin
  if tg_op = 'UPDATE' then
    if old_row - 'updated_at' - 'version' = new_row - 'updated_at' - 'version' then
      return null;
    end if;
    row_id := coalesce(new_row ->> 'id', new_row ->> 'user_id', new_row ->> 'key');
    select jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, new_row -> o.key) into old_row, new_row
    from jsonb_each(old_row) o where o.value is distinct from new_row -> o.key;
  else
    row_id := coalesce(coalesce(new_row, old_row) ->> 'id', coalesce(new_row, old_row) ->> 'user_id', coalesce(new_row, old_row) ->> 'key');
  end if;
  insert into private.audit_log (occurred_at, actor_id, impersonator, database_role, request_id, action, table_name, row_id, before, after, reason)
  values (private.now(), private.actor_id(),
          nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb #>> '{act,sub}',
          coalesce(nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'role', session_user),
          private.request_id(), tg_op, tg_table_name, row_id, old_row, new_row,
          nullif(pg_catalog.current_setting('coachline.reason', true), ''));
  return null;
end $$;

create or replace function private.because(reason text) returns void
language sql volatile set search_path = '' as $$
  select pg_catalog.set_config('coachline.reason', coalesce(reason, ''), true);
$$;

create or replace function private.refuse_change() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception using errcode = '42501', message = format('%s is append-only', tg_table_name);
end $$;
