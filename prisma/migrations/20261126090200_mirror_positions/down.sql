drop index private.stripe_command_one_running;
create unique index stripe_command_one_running on private.stripe_command (kind, subject_id) where state = 'SENT';
alter table private.stripe_object rename column last_write to writes;
update private.stripe_object set writes = 0;
alter table private.stripe_object alter column writes type integer;
drop sequence private.stripe_write;
drop function if exists public.stripe_write_position(), public.mirror_subscriptions(jsonb, bigint), public.mirror_invoices(jsonb, bigint);
drop function if exists private.mirror_subscription(jsonb, bigint), private.mirror_invoice(jsonb, bigint), private.take_write(text, bigint), public.mirror_coach_account(jsonb, bigint),
  public.plans_to_sync(boolean);
drop function if exists public.mirror_payment_methods(text, jsonb, text, bigint);
