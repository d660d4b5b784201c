do $$
declare
  target text;
begin
  foreach target in array array['public.user_account', 'public.role_request', 'public.availability_schedule', 'public.session', 'public.review'] loop
    execute format('drop trigger if exists touch on %s', target);
    execute format('create trigger touch before update on %s for each row execute function private.touch()', target);
  end loop;
end $$;

drop trigger if exists machine on public.session;
create trigger machine before update of status on public.session for each row
  when (old.status is distinct from new.status) execute function private.hold_session_machine();

drop trigger if exists terms on public.session;
create trigger terms before update on public.session for each row execute function private.hold_session_terms();
