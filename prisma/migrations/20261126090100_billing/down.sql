drop table private.subscription_snapshot, private.billing_notice, private.provider_cursor, private.stripe_object, private.stripe_command, private.invoice_line, private.invoice,
  private.subscription_change, private.subscription, private.payment_method, private.billing_customer, private.plan_price, private.plan cascade;
drop type public.invoice_status, public.subscription_status, public.billing_interval, public.plan_status cascade;
