drop index private.payment_paid_at_idx;
drop index private.refund_succeeded_at_idx;
drop index private.invoice_paid_at_idx;
drop table private.revenue_snapshot cascade;
