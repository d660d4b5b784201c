do $$
declare
  target text;
begin
  foreach target in array array['public.role_request', 'public.availability_schedule', 'public.session', 'public.review',
                                'private.plan', 'private.referral'] loop
    execute format('drop trigger if exists touch on %s', target);
    execute format('create trigger touch before update on %s for each row execute function private.touch()', target);
  end loop;
end $$;

-- A mirror that is written again as it was is nobody's change.
drop trigger if exists touch on private.subscription;
create trigger touch before update on private.subscription for each row when (old is distinct from new) execute function private.touch();

drop trigger if exists machine on public.session;
create trigger machine before update of status on public.session for each row
  when (old.status is distinct from new.status) execute function private.hold_session_machine();

drop trigger if exists terms on public.session;
create trigger terms before update on public.session for each row execute function private.hold_session_terms();

-- Clerk's mark alone is nobody's edit: our own writes to Clerk come back as events, which would make stale what an ADMIN has just read.
drop trigger if exists touch on public.user_account;
create trigger touch before update on public.user_account for each row
  when (old.clerk_updated_at is not distinct from new.clerk_updated_at
        or (old.email, old.email_verified, old.first_name, old.last_name, old.status, old.deleted_at)
           is distinct from (new.email, new.email_verified, new.first_name, new.last_name, new.status, new.deleted_at))
  execute function private.touch();
