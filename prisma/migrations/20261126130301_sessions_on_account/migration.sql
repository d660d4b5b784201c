-- Sessions on account: what a mentee with payment terms INVOICE books is not paid for at once, but gathered once a month into one invoice per
-- mentee, coach and currency. Stripe numbers, sends and collects it; `private.invoice` mirrors it like every other.

create type public.payment_terms as enum ('PREPAID', 'INVOICE');

alter table public.user_account add column payment_terms public.payment_terms not null default 'PREPAID';

-- `total` and `fee` are the sums of its sessions' amounts. Pending until `sent_at`; `claimed_until` keeps a second worker away, and after a failure
-- says when it is tried again.
create table private.session_invoice (
  id uuid not null default gen_random_uuid(),
  mentee_id uuid not null,
  coach_id uuid not null,
  currency text not null,
  month date not null,
  total bigint not null,
  fee bigint not null,
  stripe_invoice_id text,
  attempts integer not null default 0,
  first_tried_at timestamptz(6),
  claimed_until timestamptz(6),
  error text,
  created_at timestamptz(6) not null default now(),
  sent_at timestamptz(6),
  constraint session_invoice_pkey primary key (id),
  constraint session_invoice_mentee_id_fkey foreign key (mentee_id) references public.user_account (id) on update cascade on delete restrict,
  constraint session_invoice_coach_id_fkey foreign key (coach_id) references public.user_account (id) on update cascade on delete restrict,
  constraint session_invoice_currency_fkey foreign key (currency) references private.currency (code) on update cascade on delete restrict,
  constraint session_invoice_month_check check (month = date_trunc('month', month)),
  constraint session_invoice_amounts_check check (total > 0 and fee between 0 and total),
  constraint session_invoice_sent_check check (sent_at is null or stripe_invoice_id is not null)
);
create unique index session_invoice_mentee_id_coach_id_currency_month_key on private.session_invoice (mentee_id, coach_id, currency, month);
create unique index session_invoice_stripe_invoice_id_key on private.session_invoice (stripe_invoice_id);
create index session_invoice_coach_id_idx on private.session_invoice (coach_id);
create index session_invoice_pending_idx on private.session_invoice (created_at, id) where sent_at is null;
alter table private.session_invoice enable row level security;
alter table private.session_invoice force row level security;

-- A session that is paid for by invoice. Once it has ended, `amount` and `fee` are what of its price is charged and the platform's share of that;
-- it is on one invoice, or on none because nothing is charged.
create table private.session_on_account (
  session_id uuid not null,
  mentee_id uuid not null,
  coach_id uuid not null,
  currency text not null,
  amount bigint,
  fee bigint,
  session_invoice_id uuid,
  settled_at timestamptz(6),
  created_at timestamptz(6) not null default now(),
  constraint session_on_account_pkey primary key (session_id),
  constraint session_on_account_session_id_fkey foreign key (session_id) references public.session (id) on update cascade on delete restrict,
  constraint session_on_account_mentee_id_fkey foreign key (mentee_id) references public.user_account (id) on update cascade on delete restrict,
  constraint session_on_account_coach_id_fkey foreign key (coach_id) references public.user_account (id) on update cascade on delete restrict,
  constraint session_on_account_session_invoice_id_fkey foreign key (session_invoice_id) references private.session_invoice (id) on update cascade on delete restrict,
  constraint session_on_account_settled_check check (
    (settled_at is null) = (amount is null) and (settled_at is null) = (fee is null)
    and (settled_at is null or (amount >= 0 and fee between 0 and amount)) and (session_invoice_id is not null) = (coalesce(amount, 0) > 0))
);
create index session_on_account_session_invoice_id_idx on private.session_on_account (session_invoice_id);
create index session_on_account_open_idx on private.session_on_account (mentee_id, session_id) where settled_at is null;
create index session_on_account_coach_id_idx on private.session_on_account (coach_id);
alter table private.session_on_account enable row level security;
alter table private.session_on_account force row level security;

alter table private.invoice add column session_invoice_id uuid, add column due_at timestamptz(6),
  add constraint invoice_session_invoice_id_fkey foreign key (session_invoice_id) references private.session_invoice (id) on update cascade on delete restrict;
create unique index invoice_session_invoice_id_key on private.invoice (session_invoice_id);
alter table private.invoice_line add column session_id uuid,
  add constraint invoice_line_session_id_fkey foreign key (session_id) references public.session (id) on update cascade on delete restrict;
create index invoice_line_session_id_idx on private.invoice_line (session_id);
