-- What we ask Stripe to take back from a coach besides what it takes with a refund: his part of a lost dispute, of the transfer that account
-- credit had caused, and of a refund whose predecessor failed after it had taken some back.
create table private.transfer_reversal (
  id uuid not null default gen_random_uuid(),
  payment_id uuid not null,
  refund_id uuid,
  dispute_id uuid,
  -- Of the transfer that account credit caused; otherwise of the charge's own.
  top_up boolean not null,
  amount bigint not null,
  currency text not null,
  status text not null default 'PENDING',
  stripe_reversal_id text,
  failure_reason text,
  created_at timestamptz(6) not null default now(),
  constraint transfer_reversal_pkey primary key (id),
  constraint transfer_reversal_payment_id_fkey foreign key (payment_id) references private.payment (id) on update cascade on delete restrict,
  constraint transfer_reversal_refund_id_fkey foreign key (refund_id) references private.refund (id) on update cascade on delete restrict,
  constraint transfer_reversal_dispute_id_fkey foreign key (dispute_id) references private.dispute (id) on update cascade on delete restrict,
  constraint transfer_reversal_reason_check check (num_nonnulls(refund_id, dispute_id) = 1),
  constraint transfer_reversal_amount_check check (amount > 0),
  constraint transfer_reversal_currency_check check (currency ~ '^[A-Z]{3}$'),
  constraint transfer_reversal_status_check check (
    status in ('PENDING', 'DONE', 'REFUSED') and (status = 'DONE') = (stripe_reversal_id is not null))
);
-- Each once, whoever comes twice.
create unique index transfer_reversal_refund_id_top_up_key on private.transfer_reversal (refund_id, top_up);
create unique index transfer_reversal_dispute_id_top_up_key on private.transfer_reversal (dispute_id, top_up);
create unique index transfer_reversal_stripe_reversal_id_key on private.transfer_reversal (stripe_reversal_id);
create index transfer_reversal_payment_id_idx on private.transfer_reversal (payment_id);
create index transfer_reversal_refused_idx on private.transfer_reversal (created_at) where status = 'REFUSED';
alter table private.transfer_reversal enable row level security;
alter table private.transfer_reversal force row level security;
