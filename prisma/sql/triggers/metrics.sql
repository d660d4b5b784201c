-- The figures and the directory's listing follow their tables, whoever writes them.
drop trigger if exists metrics on public.session;
create trigger metrics after insert or delete on public.session for each row execute function private.count_session();
drop trigger if exists metrics_of_change on public.session;
create trigger metrics_of_change after update on public.session for each row
  when ((old.coach_id, old.mentee_id, old.type, old.status, old.blocked, old.starts_at, old.duration_minutes, old.cancelled_by, old.cancelled_at)
        is distinct from
        (new.coach_id, new.mentee_id, new.type, new.status, new.blocked, new.starts_at, new.duration_minutes, new.cancelled_by, new.cancelled_at))
  execute function private.count_session();

drop trigger if exists measure on private.meeting_instance;
create trigger measure after insert or update or delete on private.meeting_instance for each row execute function private.measure_meeting();
drop trigger if exists metrics on private.meeting;
create trigger metrics after update of actual_minutes on private.meeting for each row
  when (old.actual_minutes is distinct from new.actual_minutes) execute function private.count_meeting();

drop trigger if exists metrics on public.review;
create trigger metrics after insert or update or delete on public.review for each row execute function private.count_review();

drop trigger if exists listing on public.coach_profile;
create trigger listing after insert or update on public.coach_profile for each row execute function private.list_coach();
drop trigger if exists listing on public.user_account;
create trigger listing after update of first_name, last_name, status, deleted_at on public.user_account for each row execute function private.list_coach();
drop trigger if exists listing on public.user_role;
create trigger listing after insert or delete on public.user_role for each row execute function private.list_coach();

-- What was there before the triggers is counted in the transaction that makes them, while they keep writers off the tables.
do $$ begin
  if not exists (select 1 from private.coach_listing) and exists (select 1 from public.coach_profile) then
    perform private.rebuild_metrics();
  end if;
end $$;
