-- No amount that its currency does not have, whoever writes.
drop trigger if exists currency_step on public.coach_rate;
create trigger currency_step before insert or update of amount, currency on public.coach_rate
  for each row execute function private.hold_currency_step('amount');

drop trigger if exists currency_step on private.plan_price;
create trigger currency_step before insert or update of amount, currency on private.plan_price
  for each row execute function private.hold_currency_step('amount');

drop trigger if exists currency_step on public.session;
create trigger currency_step before insert or update of rate_amount, price_amount, fee_amount, refund_amount, currency on public.session
  for each row execute function private.hold_currency_step('rate_amount', 'price_amount', 'fee_amount', 'refund_amount');
-- An invoice is the sum of its lines, as soon as everything of it has been written.
drop trigger if exists total_is_lines on private.session_invoice;
create constraint trigger total_is_lines after insert or update of total, fee on private.session_invoice deferrable initially deferred
  for each row execute function private.hold_session_invoice();
drop trigger if exists total_is_lines on private.session_on_account;
create constraint trigger total_is_lines after update on private.session_on_account deferrable initially deferred
  for each row when (new.session_invoice_id is not null) execute function private.hold_session_invoice();

drop trigger if exists settled_once on private.session_on_account;
create trigger settled_once before update or delete on private.session_on_account for each row execute function private.hold_settled_session();
