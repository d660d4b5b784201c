do $$
declare
  target text;
begin
  -- A mirror that is written again as it was is nobody's change.
  foreach target in array array['payment', 'refund', 'dispute'] loop
    execute format('drop trigger if exists touch on private.%I', target);
    execute format('create trigger touch before update on private.%I for each row when (old is distinct from new) execute function private.touch()', target);
  end loop;
end $$;

drop trigger if exists machine on private.payment;
create trigger machine before update of status on private.payment for each row
  when (old.status is distinct from new.status) execute function private.hold_payment_machine();

drop trigger if exists terms on private.payment;
create trigger terms before update on private.payment for each row execute function private.hold_payment_terms();

drop trigger if exists bound on private.refund;
create trigger bound before insert or update on private.refund for each row execute function private.hold_refund_bound();
