drop trigger if exists touch on public.achievement_definition;
create trigger touch before update on public.achievement_definition for each row execute function private.touch();
drop trigger if exists audit on public.achievement_definition;
create trigger audit after insert or update or delete on public.achievement_definition for each row execute function private.audit();

-- What people grant and revoke. What the rules grant says so by itself.
drop trigger if exists audit on public.achievement_grant;
create trigger audit after insert on public.achievement_grant for each row when (new.granted_by is not null) execute function private.audit();
drop trigger if exists audit_of_change on public.achievement_grant;
create trigger audit_of_change after update or delete on public.achievement_grant for each row execute function private.audit();
