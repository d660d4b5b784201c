-- Undoes 20261126010000_role_requests; the extension stays, which others may use by now.
drop index private.audit_log_occurred_at_idx, public.user_account_search_idx, public.user_account_created_at_id_idx;
drop trigger if exists log_role_change on public.user_role;
drop table private.role_change, public.role_request cascade;
drop type public.role_request_status cascade;
