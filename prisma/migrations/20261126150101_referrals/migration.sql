-- Who brought whom, and what came of it. In `private`, because only functions touch them.

create type public.referral_status as enum ('SIGNED_UP', 'QUALIFIED', 'REWARDED', 'REJECTED', 'EXPIRED');
create type public.referral_review as enum ('PENDING', 'APPROVED', 'REJECTED');
create type public.referral_rejection as enum ('REVIEW', 'REFUNDED', 'ACCOUNT_CLOSED');

-- A code that was replaced stays here, so that it never becomes another person's.
create table private.referral_code (
  code text not null,
  user_id uuid not null,
  created_at timestamptz(6) not null default now(),
  retired_at timestamptz(6),
  constraint referral_code_pkey primary key (code),
  constraint referral_code_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete restrict,
  -- The alphabet of Open Location Code: nothing that looks alike, and no words.
  constraint referral_code_alphabet_check check (code ~ '^[23456789CFGHJMPQRVWX]{8}$')
);
create unique index referral_code_one_active on private.referral_code (user_id) where retired_at is null;
create index referral_code_user_id_idx on private.referral_code (user_id);
alter table private.referral_code enable row level security;
alter table private.referral_code force row level security;

-- One for each person who redeemed a code. What the rewards are and what has to stay paid is fixed when it qualifies.
create table private.referral (
  id uuid not null default gen_random_uuid(),
  referrer_id uuid not null,
  referee_id uuid not null,
  code text not null,
  status public.referral_status not null default 'SIGNED_UP',
  redeemed_at timestamptz(6) not null,
  expires_at timestamptz(6) not null,
  session_id uuid,
  currency text,
  referrer_amount bigint,
  referee_amount bigint,
  minimum_paid bigint,
  hold_until timestamptz(6),
  rewarded_at timestamptz(6),
  -- The referrer had his rewards of that month.
  capped boolean not null default false,
  rejection public.referral_rejection,
  ended_at timestamptz(6),
  flags text[] not null default '{}',
  review public.referral_review,
  reviewed_flags text[] not null default '{}',
  reviewed_by uuid,
  reviewed_at timestamptz(6),
  review_reason text,
  version integer not null default 1,
  updated_at timestamptz(6) not null default now(),
  constraint referral_pkey primary key (id),
  constraint referral_referrer_id_fkey foreign key (referrer_id) references public.user_account (id) on update cascade on delete restrict,
  constraint referral_referee_id_fkey foreign key (referee_id) references public.user_account (id) on update cascade on delete restrict,
  constraint referral_code_fkey foreign key (code) references private.referral_code (code) on update cascade on delete restrict,
  constraint referral_session_id_fkey foreign key (session_id) references public.session (id) on update cascade on delete restrict,
  constraint referral_reviewed_by_fkey foreign key (reviewed_by) references public.user_account (id) on update cascade on delete restrict,
  constraint referral_parties_check check (referrer_id <> referee_id),
  constraint referral_terms_check check (
    num_nulls(session_id, currency, referrer_amount, referee_amount, minimum_paid, hold_until) in (0, 6)
    and referrer_amount >= 0 and referee_amount >= 0 and minimum_paid > 0 and currency ~ '^[A-Z]{3}$'),
  constraint referral_status_check check (case status
    when 'SIGNED_UP' then session_id is null and rewarded_at is null
    when 'QUALIFIED' then session_id is not null and rewarded_at is null
    when 'REWARDED' then session_id is not null and rewarded_at is not null
    when 'REJECTED' then true
    when 'EXPIRED' then rewarded_at is null end),
  constraint referral_ended_check check ((status in ('REJECTED', 'EXPIRED')) = (ended_at is not null) and (status = 'REJECTED') = (rejection is not null)),
  constraint referral_review_check check (
    (review is null or cardinality(flags) > 0 or review = 'REJECTED') and length(review_reason) between 1 and 1000)
);
-- Redeemed once, also when twenty ask at once.
create unique index referral_referee_id_key on private.referral (referee_id);
create unique index referral_session_id_key on private.referral (session_id);
create index referral_referrer_id_redeemed_at_id_idx on private.referral (referrer_id, redeemed_at desc, id desc);
create index referral_redeemed_at_id_idx on private.referral (redeemed_at desc, id desc);
create index referral_code_idx on private.referral (code);
create index referral_reviewed_by_idx on private.referral (reviewed_by);
create index referral_rewarded_idx on private.referral (referrer_id, rewarded_at) where rewarded_at is not null;
create index referral_pending_review_idx on private.referral (redeemed_at desc, id desc) where review = 'PENDING';
create index referral_hold_idx on private.referral (hold_until) where status = 'QUALIFIED';
create index referral_expiry_idx on private.referral (expires_at) where status = 'SIGNED_UP';
alter table private.referral enable row level security;
alter table private.referral force row level security;

alter table public.credit_entry add constraint credit_entry_referral_id_fkey
  foreign key (referral_id) references private.referral (id) on update cascade on delete restrict;
create index credit_entry_referral_id_idx on public.credit_entry (referral_id);

-- The same card, whichever account it is at: Stripe's own mark of it.
alter table private.payment_method add column fingerprint text;
create index payment_method_fingerprint_idx on private.payment_method (fingerprint);
