-- Undoes 20261126150100_credit.
drop table public.credit_entry, public.credit_account cascade;
drop type public.credit_kind cascade;
