-- What is paid for sessions, given back and disputed; and what Stripe says has moved because of it. In `private`, because only functions touch them.
-- Amounts are minor units. The payer's money is `payment`, `refund`, `dispute`; the platform's balance at Stripe is `money_movement`.

create type public.payment_status as enum
  ('PENDING', 'REQUIRES_ACTION', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELED', 'PARTIALLY_REFUNDED', 'REFUNDED', 'DISPUTED');
create type public.refund_status as enum ('PENDING', 'REQUIRES_ACTION', 'SUCCEEDED', 'FAILED', 'CANCELED');
create type public.refund_reason as enum
  ('CANCELLATION', 'NO_SHOW', 'GOODWILL', 'DUPLICATE', 'FRAUDULENT', 'SLOT_LOST', 'PAID_TWICE', 'OTHER');
create type public.dispute_kind as enum ('INQUIRY', 'CHARGEBACK');
create type public.movement_kind as enum
  ('CHARGE', 'PROCESSING_FEE', 'FEE', 'TRANSFER', 'CREDIT', 'REFUND', 'REFUND_FAILURE', 'REVERSAL', 'FEE_REVERSAL', 'CREDIT_REVERSAL',
   'DISPUTE', 'DISPUTE_FEE', 'DISPUTE_REVERSAL', 'DISPUTE_FEE_REVERSAL', 'ADJUSTMENT');

-- amount = credit_amount (account credit) + charge_amount (asked of Stripe). The coach gets amount - fee_amount whatever was paid with: the
-- platform's fee bears the credit first (application_fee_amount is what is left of it), then a transfer of its own (top_up_amount).
create table private.payment (
  id uuid not null default gen_random_uuid(),
  session_id uuid not null,
  mentee_id uuid not null,
  coach_id uuid not null,
  status public.payment_status not null default 'PENDING',
  amount bigint not null,
  credit_amount bigint not null default 0,
  charge_amount bigint not null,
  currency text not null,
  fee_amount bigint not null,
  application_fee_amount bigint not null,
  top_up_amount bigint not null default 0,
  paid_amount bigint not null default 0,
  refunded_amount bigint not null default 0,
  -- Money that came for a session which is paid already, or whose time is somebody else's: it is given back, and is no live payment.
  surplus boolean not null default false,
  stripe_account_id text,
  stripe_payment_intent_id text,
  stripe_charge_id text,
  stripe_transfer_id text,
  stripe_top_up_id text,
  stripe_payment_method_id text,
  failure_code text,
  failure_message text,
  hold_expires_at timestamptz(6),
  paid_at timestamptz(6),
  canceled_at timestamptz(6),
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint payment_pkey primary key (id),
  constraint payment_session_id_fkey foreign key (session_id) references public.session (id) on update cascade on delete restrict,
  constraint payment_mentee_id_fkey foreign key (mentee_id) references public.user_account (id) on update cascade on delete restrict,
  constraint payment_coach_id_fkey foreign key (coach_id) references public.user_account (id) on update cascade on delete restrict,
  constraint payment_currency_check check (currency ~ '^[A-Z]{3}$'),
  constraint payment_amounts_check check (
    amount > 0 and credit_amount between 0 and amount and charge_amount = amount - credit_amount and fee_amount between 0 and amount
    and application_fee_amount = greatest(fee_amount - credit_amount, 0) and top_up_amount = greatest(credit_amount - fee_amount, 0)),
  constraint payment_paid_check check (paid_amount in (0, charge_amount) and refunded_amount between 0 and paid_amount),
  constraint payment_status_check check (
    (status in ('COMPLETED', 'PARTIALLY_REFUNDED', 'REFUNDED', 'DISPUTED')) = (paid_at is not null)
    and (paid_at is null or paid_amount = charge_amount) and (status = 'CANCELED') = (canceled_at is not null))
);
create unique index payment_stripe_payment_intent_id_key on private.payment (stripe_payment_intent_id);
create unique index payment_stripe_charge_id_key on private.payment (stripe_charge_id);
-- One live payment per session, also when two tabs pay at once.
create unique index payment_one_live on private.payment (session_id) where status <> 'CANCELED' and not surplus;
create index payment_session_id_idx on private.payment (session_id);
create index payment_mentee_id_created_at_id_idx on private.payment (mentee_id, created_at desc, id desc);
create index payment_coach_id_created_at_id_idx on private.payment (coach_id, created_at desc, id desc);
create index payment_created_at_id_idx on private.payment (created_at desc, id desc);
create index payment_unfinished_idx on private.payment (updated_at) where status in ('PENDING', 'REQUIRES_ACTION', 'PROCESSING', 'FAILED');
alter table private.payment enable row level security;
alter table private.payment force row level security;

-- `amount` goes back to where it was paid with; `credit_amount` is account credit given back with it. What the coach and the platform bear of it
-- are the two reversals. `initiator` SYSTEM without `requested_by` is a rule of ours, or somebody in Stripe's Dashboard.
create table private.refund (
  id uuid not null default gen_random_uuid(),
  payment_id uuid not null,
  status public.refund_status not null default 'PENDING',
  reason public.refund_reason not null,
  note text,
  initiator public.session_actor not null,
  requested_by uuid,
  amount bigint not null,
  credit_amount bigint not null default 0,
  currency text not null,
  transfer_reversed_amount bigint not null default 0,
  fee_reversed_amount bigint not null default 0,
  stripe_refund_id text,
  stripe_transfer_reversal_id text,
  stripe_fee_refund_id text,
  failure_reason text,
  succeeded_at timestamptz(6),
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint refund_pkey primary key (id),
  constraint refund_payment_id_fkey foreign key (payment_id) references private.payment (id) on update cascade on delete restrict,
  constraint refund_requested_by_fkey foreign key (requested_by) references public.user_account (id) on update cascade on delete restrict,
  constraint refund_amounts_check check (
    amount >= 0 and credit_amount >= 0 and amount + credit_amount > 0 and transfer_reversed_amount >= 0 and fee_reversed_amount >= 0),
  constraint refund_note_check check (length(note) <= 2000),
  constraint refund_currency_check check (currency ~ '^[A-Z]{3}$')
);
create unique index refund_stripe_refund_id_key on private.refund (stripe_refund_id);
create index refund_payment_id_created_at_id_idx on private.refund (payment_id, created_at desc, id desc);
create index refund_unfinished_idx on private.refund (updated_at) where status in ('PENDING', 'REQUIRES_ACTION');
alter table private.refund enable row level security;
alter table private.refund force row level security;

-- `status` is Stripe's own, upper-cased: text, because Stripe adds to them, and an unknown one must be seen and not be lost. An INQUIRY has taken
-- no money. `evidence` is the draft; what was submitted is Stripe's. Of a subscription's charge the payment is null.
create table private.dispute (
  id uuid not null default gen_random_uuid(),
  payment_id uuid,
  stripe_dispute_id text not null,
  stripe_charge_id text not null,
  kind public.dispute_kind not null,
  status text not null,
  reason text not null,
  amount bigint not null,
  currency text not null,
  due_by timestamptz(6),
  evidence jsonb not null default '{}',
  evidence_submitted_at timestamptz(6),
  charge_refundable boolean not null default false,
  opened_at timestamptz(6) not null,
  closed_at timestamptz(6),
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint dispute_pkey primary key (id),
  constraint dispute_payment_id_fkey foreign key (payment_id) references private.payment (id) on update cascade on delete restrict,
  constraint dispute_status_check check (status ~ '^[A-Z_]{1,40}$'),
  constraint dispute_amount_check check (amount >= 0),
  constraint dispute_currency_check check (currency ~ '^[A-Z]{3}$'),
  constraint dispute_evidence_check check (jsonb_typeof(evidence) = 'object')
);
create unique index dispute_stripe_dispute_id_key on private.dispute (stripe_dispute_id);
create index dispute_payment_id_idx on private.dispute (payment_id);
create index dispute_stripe_charge_id_idx on private.dispute (stripe_charge_id);
create index dispute_opened_at_id_idx on private.dispute (opened_at desc, id desc);
create index dispute_due_by_idx on private.dispute (due_by) where closed_at is null;
alter table private.dispute enable row level security;
alter table private.dispute force row level security;

-- The platform's balance at Stripe, movement by movement: `amount` is what it adds to it (a charge is positive; fees, transfers to coaches and
-- refunds are negative). `stripe_id` is the object that moved the money: a charge, an application fee, a transfer, a reversal, a refund, a dispute.
-- CREDIT is the transfer with which the platform pays the coach what account credit has covered beyond its fee. The sum of the movements that
-- share a balance transaction is that transaction's net, in Stripe's own currency of settlement.
create table private.money_movement (
  id bigint generated always as identity,
  kind public.movement_kind not null,
  amount bigint not null,
  currency text not null,
  stripe_id text not null,
  balance_transaction_id text,
  payment_id uuid,
  refund_id uuid,
  dispute_id uuid,
  invoice_id uuid,
  occurred_at timestamptz(6) not null,
  recorded_at timestamptz(6) not null default now(),
  constraint money_movement_pkey primary key (id),
  constraint money_movement_payment_id_fkey foreign key (payment_id) references private.payment (id) on update cascade on delete restrict,
  constraint money_movement_refund_id_fkey foreign key (refund_id) references private.refund (id) on update cascade on delete restrict,
  constraint money_movement_dispute_id_fkey foreign key (dispute_id) references private.dispute (id) on update cascade on delete restrict,
  constraint money_movement_invoice_id_fkey foreign key (invoice_id) references private.invoice (id) on update cascade on delete restrict,
  constraint money_movement_currency_check check (currency ~ '^[A-Z]{3}$')
);
create unique index money_movement_stripe_id_kind_key on private.money_movement (stripe_id, kind);
create index money_movement_payment_id_id_idx on private.money_movement (payment_id, id);
create index money_movement_refund_id_idx on private.money_movement (refund_id);
create index money_movement_dispute_id_idx on private.money_movement (dispute_id);
create index money_movement_invoice_id_idx on private.money_movement (invoice_id);
create index money_movement_balance_transaction_id_idx on private.money_movement (balance_transaction_id);
create index money_movement_occurred_at_id_idx on private.money_movement (occurred_at, id);
alter table private.money_movement enable row level security;
alter table private.money_movement force row level security;
