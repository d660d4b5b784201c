-- Undoes 20261126020001_members; the extension stays, which others may use by now.
drop table public.member_change, public.member_profile cascade;
drop type public.member_status cascade;
