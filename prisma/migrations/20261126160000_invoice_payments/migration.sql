-- Which payment intent pays an invoice: so what that moves, also when it is given back or disputed, is known to be the invoice's.
alter table private.invoice add column stripe_payment_intent_id text;
create index invoice_stripe_payment_intent_id_idx on private.invoice (stripe_payment_intent_id);
