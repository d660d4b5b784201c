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

-- A hold that is let go of takes its payment with it; a session that is called off in time, or by the coach, gives the plan's session back.
drop trigger if exists let_go on public.session;
create trigger let_go after update of status on public.session for each row
  when (old.status = 'PENDING_PAYMENT' and new.status in ('EXPIRED', 'CANCELLED')) execute function private.let_go_with_session();

drop trigger if exists return_included on public.session;
create trigger return_included after update of status on public.session for each row
  when (old.status is distinct from new.status and new.refund_percent = 100) execute function private.return_included_session();

-- What has moved stays. Whose it was may be learned later: an event can be faster than the one that tells of the payment.
drop trigger if exists append_only on private.money_movement;
create trigger append_only before delete or truncate on private.money_movement for each statement execute function private.refuse_change();

drop trigger if exists known_later on private.money_movement;
create trigger known_later before update on private.money_movement for each row execute function private.hold_movement();
