-- Coaches' accounts at Stripe Connect, mirrored: who can be paid.
create table private.coach_account (
  coach_id uuid not null,
  stripe_account_id text,
  transfers_active boolean not null default false,
  payouts_enabled boolean not null default false,
  details_submitted boolean not null default false,
  requirements text[] not null default '{}',
  disabled_reason text,
  created_at timestamptz(6) not null default now(),
  constraint coach_account_pkey primary key (coach_id),
  constraint coach_account_coach_id_fkey foreign key (coach_id) references public.user_account (id) on update cascade on delete restrict
);
create unique index coach_account_stripe_account_id_key on private.coach_account (stripe_account_id);
alter table private.coach_account enable row level security;
alter table private.coach_account force row level security;
