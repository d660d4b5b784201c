alter table private.invoice_line drop column session_id;
alter table private.invoice drop column session_invoice_id, drop column due_at;
drop table private.session_on_account cascade;
drop table private.session_invoice cascade;
alter table public.user_account drop column payment_terms;
drop type public.payment_terms;
