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
