-- Forgets a deleted user's member data and what it ever was. The audit log keeps who changed which field when, without values (ADR 015).
create or replace function private.erase_member(gone uuid) returns void
language sql volatile security definer set search_path = '' as $$
  delete from public.member_profile m where m.user_id = gone;
  delete from public.member_change c where c.user_id = gone;
$$;
