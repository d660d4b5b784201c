-- One line of the log for a transaction that left a user with other roles than before, whoever wrote them. Deferred, because roles are
-- taken and given by several statements: the log has what was there before the first and what is there after the last.
create or replace function private.log_role_change() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  subject uuid := coalesce(new.user_id, old.user_id);
  had public.role_name[];
  has public.role_name[] := array(select r.role from public.user_role r where r.user_id = subject order by r.role);
begin
  select c.after into had from private.role_change c where c.user_id = subject order by c.id desc limit 1;
  had := coalesce(had, '{}');
  if had <> has then
    insert into private.role_change (user_id, actor_id, before, after, reason, role_request_id, request_id, occurred_at)
    values (subject, private.caller_id(), had, has, nullif(pg_catalog.current_setting('coachline.reason', true), ''),
            nullif(pg_catalog.current_setting('coachline.role_request', true), '')::uuid, private.request_id(), private.now());
  end if;
  return null;
end $$;

drop trigger if exists log_role_change on public.user_role;
create constraint trigger log_role_change after insert or update or delete on public.user_role
  deferrable initially deferred for each row execute function private.log_role_change();
