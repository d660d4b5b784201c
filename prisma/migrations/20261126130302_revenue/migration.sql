-- What came in and went back on each day (UTC), by coach and currency: rebuilt from payments, invoices, refunds and disputes at will.
create table private.revenue_snapshot (
  id bigint generated always as identity,
  day date not null,
  coach_id uuid,
  currency text not null,
  sessions bigint not null,
  gross bigint not null,
  credits bigint not null,
  fees bigint not null,
  refunds bigint not null,
  fees_refunded bigint not null,
  disputes bigint not null,
  constraint revenue_snapshot_pkey primary key (id),
  constraint revenue_snapshot_coach_id_fkey foreign key (coach_id) references public.user_account (id) on update cascade on delete restrict
);
create unique index revenue_snapshot_day_coach_id_currency_key on private.revenue_snapshot (day, coach_id, currency) nulls not distinct;
create index revenue_snapshot_coach_id_idx on private.revenue_snapshot (coach_id);
alter table private.revenue_snapshot enable row level security;
alter table private.revenue_snapshot force row level security;

-- What revenue reports look for.
create index payment_paid_at_idx on private.payment (paid_at) where paid_at is not null;
create index refund_succeeded_at_idx on private.refund (succeeded_at) where succeeded_at is not null;
create index invoice_paid_at_idx on private.invoice (paid_at) where paid_at is not null;
