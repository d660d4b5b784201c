-- What people edit is audited and counts in `version`; value and status follow from entries and time, and have a history of their own.
drop trigger if exists touch on public.goal;
create trigger touch before update on public.goal for each row
  when ((old.title, old.description, old.target_value, old.milestones, old.deadline, old.shared, old.deleted_at)
        is distinct from (new.title, new.description, new.target_value, new.milestones, new.deadline, new.shared, new.deleted_at))
  execute function private.touch();
drop trigger if exists audit on public.goal;
create trigger audit after insert or delete on public.goal for each row execute function private.audit();
drop trigger if exists audit_of_change on public.goal;
create trigger audit_of_change after update on public.goal for each row
  when (old.version <> new.version) execute function private.audit();

-- Append-only, until the person is deleted and the goals go with everything in them.
create or replace function private.hold_goal_entry() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_op = 'DELETE' and not exists (select 1 from public.goal g where g.id = old.goal_id) then
    return old;
  end if;
  raise exception using errcode = '42501', message = format('%s is append-only', tg_table_name);
end $$;

do $$
declare
  target text;
begin
  foreach target in array array['public.goal_progress', 'public.goal_event'] loop
    execute format('drop trigger if exists append_only on %s', target);
    execute format('create trigger append_only before update or delete on %s for each row execute function private.hold_goal_entry()', target);
    execute format('drop trigger if exists never_truncated on %s', target);
    execute format('create trigger never_truncated before truncate on %s for each statement execute function private.refuse_change()', target);
  end loop;
end $$;
