drop index private.invoice_stripe_payment_intent_id_idx;
alter table private.invoice drop column stripe_payment_intent_id;
