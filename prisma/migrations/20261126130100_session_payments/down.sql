drop table private.money_movement, private.dispute, private.refund, private.payment cascade;
drop type public.movement_kind, public.dispute_kind, public.refund_reason, public.refund_status, public.payment_status;
drop function if exists private.payment_may_become(text, text), private.hold_payment_machine(), private.hold_payment_terms(), private.hold_refund_bound();
