-- Plans and what mirrors Stripe: customers, payment methods, subscriptions, invoices. In `private`, because only functions touch them.
-- Stripe is the truth of everything that carries a Stripe id; a mirror row is written from the object as Stripe gave it out, never from what we asked for.

create type public.plan_status as enum ('ACTIVE', 'ARCHIVED');
create type public.billing_interval as enum ('DAY', 'WEEK', 'MONTH', 'YEAR');
create type public.subscription_status as enum
  ('INCOMPLETE', 'INCOMPLETE_EXPIRED', 'TRIALING', 'ACTIVE', 'PAST_DUE', 'UNPAID', 'PAUSED', 'CANCELED');
create type public.invoice_status as enum ('DRAFT', 'OPEN', 'PAID', 'UNCOLLECTIBLE', 'VOID');

create table private.plan (
  id uuid not null default gen_random_uuid(),
  name text not null,
  description text not null default '',
  status public.plan_status not null default 'ACTIVE',
  included_sessions_per_month integer not null default 0,
  fee_waived boolean not null default false,
  features text[] not null default '{}',
  stripe_product_id text,
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint plan_pkey primary key (id),
  constraint plan_name_check check (length(name) between 1 and 100),
  constraint plan_description_check check (length(description) <= 2000),
  constraint plan_included_check check (included_sessions_per_month between 0 and 1000),
  constraint plan_features_check check (cardinality(features) <= 50)
);
create unique index plan_stripe_product_id_key on private.plan (stripe_product_id);
create index plan_created_at_id_idx on private.plan (created_at desc, id desc);
alter table private.plan enable row level security;
alter table private.plan force row level security;

-- A price is never edited: a change makes the next number, and subscribers stay on theirs until they are moved.
create table private.plan_price (
  id uuid not null default gen_random_uuid(),
  plan_id uuid not null,
  number integer not null,
  amount integer not null,
  currency text not null,
  billing_interval public.billing_interval not null,
  interval_count integer not null default 1,
  trial_days integer not null default 0,
  is_current boolean not null default true,
  stripe_price_id text,
  created_at timestamptz(6) not null default now(),
  constraint plan_price_pkey primary key (id),
  constraint plan_price_plan_id_fkey foreign key (plan_id) references private.plan (id) on update cascade on delete cascade,
  constraint plan_price_amount_check check (amount between 0 and 99999999),
  constraint plan_price_currency_check check (currency ~ '^[A-Z]{3}$'),
  constraint plan_price_interval_check check (interval_count between 1 and 36),
  constraint plan_price_trial_check check (trial_days between 0 and 365)
);
create unique index plan_price_plan_id_number_key on private.plan_price (plan_id, number);
create unique index plan_price_one_current on private.plan_price (plan_id) where is_current;
create unique index plan_price_stripe_price_id_key on private.plan_price (stripe_price_id);
alter table private.plan_price enable row level security;
alter table private.plan_price force row level security;

create table private.billing_customer (
  user_id uuid not null,
  stripe_customer_id text,
  currency text,
  created_at timestamptz(6) not null default now(),
  constraint billing_customer_pkey primary key (user_id),
  constraint billing_customer_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete restrict
);
create unique index billing_customer_stripe_customer_id_key on private.billing_customer (stripe_customer_id);
alter table private.billing_customer enable row level security;
alter table private.billing_customer force row level security;

create table private.payment_method (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  stripe_payment_method_id text not null,
  type text not null,
  brand text,
  last4 text,
  expires_month integer,
  expires_year integer,
  is_default boolean not null default false,
  detached_at timestamptz(6),
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint payment_method_pkey primary key (id),
  constraint payment_method_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete restrict,
  constraint payment_method_default_check check (not is_default or detached_at is null)
);
create unique index payment_method_stripe_payment_method_id_key on private.payment_method (stripe_payment_method_id);
create unique index payment_method_one_default on private.payment_method (user_id) where is_default;
create index payment_method_user_id_created_at_idx on private.payment_method (user_id, created_at desc);
create index payment_method_expiry_idx on private.payment_method (expires_year, expires_month) where detached_at is null;
alter table private.payment_method enable row level security;
alter table private.payment_method force row level security;

create table private.subscription (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  plan_id uuid not null,
  plan_price_id uuid not null,
  stripe_subscription_id text,
  status public.subscription_status not null default 'INCOMPLETE',
  current_period_start timestamptz(6),
  current_period_end timestamptz(6),
  trial_end timestamptz(6),
  cancel_at timestamptz(6),
  canceled_at timestamptz(6),
  ended_at timestamptz(6),
  collection_paused boolean not null default false,
  latest_invoice_id text,
  stripe_payment_method_id text,
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint subscription_pkey primary key (id),
  constraint subscription_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete restrict,
  constraint subscription_plan_id_fkey foreign key (plan_id) references private.plan (id) on update cascade on delete restrict,
  constraint subscription_plan_price_id_fkey foreign key (plan_price_id) references private.plan_price (id) on update cascade on delete restrict
);
create unique index subscription_stripe_subscription_id_key on private.subscription (stripe_subscription_id);
-- One live subscription per user, also when two tabs subscribe at once.
create unique index subscription_one_live on private.subscription (user_id) where status not in ('CANCELED', 'INCOMPLETE_EXPIRED');
create index subscription_user_id_created_at_id_idx on private.subscription (user_id, created_at desc, id desc);
create index subscription_plan_price_id_idx on private.subscription (plan_price_id);
alter table private.subscription enable row level security;
alter table private.subscription force row level security;

-- Every status and price that a subscription has had, and since when: reports are computed from this alone.
create table private.subscription_change (
  id bigint generated always as identity,
  subscription_id uuid not null,
  occurred_at timestamptz(6) not null,
  status public.subscription_status not null,
  plan_price_id uuid not null,
  collection_paused boolean not null,
  event_id text,
  constraint subscription_change_pkey primary key (id),
  constraint subscription_change_subscription_id_fkey foreign key (subscription_id) references private.subscription (id) on update cascade on delete restrict,
  constraint subscription_change_plan_price_id_fkey foreign key (plan_price_id) references private.plan_price (id) on update cascade on delete restrict
);
create index subscription_change_subscription_id_occurred_at_id_idx on private.subscription_change (subscription_id, occurred_at, id);
create index subscription_change_occurred_at_idx on private.subscription_change (occurred_at);
create unique index subscription_change_event_id_key on private.subscription_change (event_id);
alter table private.subscription_change enable row level security;
alter table private.subscription_change force row level security;

create table private.invoice (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  subscription_id uuid,
  stripe_invoice_id text not null,
  number text,
  status public.invoice_status not null,
  billing_reason text,
  currency text not null,
  subtotal bigint not null,
  total bigint not null,
  amount_due bigint not null,
  amount_paid bigint not null,
  amount_remaining bigint not null,
  attempt_count integer not null default 0,
  next_payment_attempt timestamptz(6),
  period_start timestamptz(6) not null,
  period_end timestamptz(6) not null,
  paid_at timestamptz(6),
  hosted_invoice_url text,
  invoice_pdf_url text,
  created_at timestamptz(6) not null,
  constraint invoice_pkey primary key (id),
  constraint invoice_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete restrict,
  constraint invoice_subscription_id_fkey foreign key (subscription_id) references private.subscription (id) on update cascade on delete restrict,
  constraint invoice_currency_check check (currency ~ '^[A-Z]{3}$')
);
create unique index invoice_stripe_invoice_id_key on private.invoice (stripe_invoice_id);
create index invoice_user_id_created_at_id_idx on private.invoice (user_id, created_at desc, id desc);
create index invoice_subscription_id_idx on private.invoice (subscription_id);
alter table private.invoice enable row level security;
alter table private.invoice force row level security;

create table private.invoice_line (
  invoice_id uuid not null,
  position integer not null,
  description text,
  amount bigint not null,
  quantity integer,
  proration boolean not null default false,
  period_start timestamptz(6) not null,
  period_end timestamptz(6) not null,
  constraint invoice_line_pkey primary key (invoice_id, position),
  constraint invoice_line_invoice_id_fkey foreign key (invoice_id) references private.invoice (id) on update cascade on delete cascade
);
alter table private.invoice_line enable row level security;
alter table private.invoice_line force row level security;

-- What we ask of Stripe. Committed as SENT before the call is made, so that after a crash it is known that the call may have happened; the
-- janitor then repeats it with the same key (Stripe keeps keys for 24 hours) or looks for what it made.
create table private.stripe_command (
  id uuid not null default gen_random_uuid(),
  kind text not null,
  user_id uuid,
  subject_id uuid not null,
  parameters jsonb not null,
  idempotency_key text not null,
  state text not null default 'SENT',
  attempts integer not null default 1,
  stripe_id text,
  error text,
  sent_at timestamptz(6) not null default now(),
  finished_at timestamptz(6),
  constraint stripe_command_pkey primary key (id),
  constraint stripe_command_state_check check (state in ('SENT', 'DONE', 'REFUSED')),
  constraint stripe_command_finished_check check ((state = 'SENT') = (finished_at is null))
);
create unique index stripe_command_idempotency_key_key on private.stripe_command (idempotency_key);
create index stripe_command_sent_at_idx on private.stripe_command (sent_at) where state = 'SENT';
-- One thing at a time is asked about one object.
create unique index stripe_command_one_running on private.stripe_command (kind, subject_id) where state = 'SENT';
alter table private.stripe_command enable row level security;
alter table private.stripe_command force row level security;

-- How often an object of Stripe's was written to its mirror. Who writes says which count it read before it fetched the object: if another has
-- been faster, the fetched object may be the older one, and is fetched again. So mirrors never go back in time, in whatever order events come.
create table private.stripe_object (
  id text not null,
  writes integer not null default 0,
  constraint stripe_object_pkey primary key (id)
);
alter table private.stripe_object enable row level security;
alter table private.stripe_object force row level security;

-- How far a job has read what a provider lists.
create table private.provider_cursor (
  name text not null,
  position text,
  updated_at timestamptz(6) not null default now(),
  constraint provider_cursor_pkey primary key (name)
);
alter table private.provider_cursor enable row level security;
alter table private.provider_cursor force row level security;

-- A notice that was given once: of a trial's end, of an expiring card, of a failed payment.
create table private.billing_notice (
  kind text not null,
  object_id text not null,
  step text not null,
  given_at timestamptz(6) not null default now(),
  constraint billing_notice_pkey primary key (kind, object_id, step)
);
alter table private.billing_notice enable row level security;
alter table private.billing_notice force row level security;

-- Recurring revenue at the end of each day (UTC), per plan price: rebuilt from subscription_change at will.
create table private.subscription_snapshot (
  day date not null,
  plan_price_id uuid not null,
  currency text not null,
  subscribers integer not null,
  trialing integer not null,
  past_due integer not null,
  -- Twelve times the monthly amount, so that a year's price needs no rounding here.
  annual_amount bigint not null,
  constraint subscription_snapshot_pkey primary key (day, plan_price_id),
  constraint subscription_snapshot_plan_price_id_fkey foreign key (plan_price_id) references private.plan_price (id) on update cascade on delete restrict
);
alter table private.subscription_snapshot enable row level security;
alter table private.subscription_snapshot force row level security;
