-- An account's figures are never set: whoever writes the row, they are the sums of its entries. Each entry writes it, so two at once wait for
-- each other at the row, and the second one's sum sees what the first has committed.
create or replace function private.sum_credit() returns trigger
language plpgsql set search_path = '' as $$
begin
  select coalesce(sum(e.amount), 0), coalesce(sum(e.owed), 0) into new.balance, new.owed
  from public.credit_entry e where e.user_id = new.user_id and e.currency = new.currency;
  return new;
end $$;
drop trigger if exists sum_of_entries on public.credit_account;
create trigger sum_of_entries before insert or update on public.credit_account for each row execute function private.sum_credit();

create or replace function private.apply_credit_entry() returns trigger
language plpgsql set search_path = '' as $$
begin
  update public.credit_account a set updated_at = new.created_at where a.user_id = new.user_id and a.currency = new.currency;
  if new.kind = 'RETURNED' and 0 < (select sum(e.amount) from public.credit_entry e where e.session_id = new.session_id) then
    raise exception using errcode = '23514', message = 'A session gives back no more credit than it took.';
  end if;
  return null;
end $$;
drop trigger if exists apply_entry on public.credit_entry;
create trigger apply_entry after insert on public.credit_entry for each row execute function private.apply_credit_entry();
