-- A session that is called off or missed gives back what its policy says, in the transaction that ends it.
drop trigger if exists refund_called_off on public.session;
create trigger refund_called_off after update of status on public.session for each row
  when (old.status is distinct from new.status and new.refund_amount > 0) execute function private.refund_when_called_off();
