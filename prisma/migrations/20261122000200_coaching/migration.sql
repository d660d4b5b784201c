-- Coaches, what they offer and when, and the sessions booked with them.

create type public.profile_status as enum ('DRAFT', 'PUBLISHED', 'ARCHIVED');
create type public.schedule_type as enum ('DEFAULT', 'HOLIDAY', 'VACATION', 'OVERRIDE', 'TEMPORARY');
create type public.session_status as enum
  ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'NO_SHOW', 'EXPIRED');
create type public.session_actor as enum ('MENTEE', 'COACH', 'ADMIN', 'SYSTEM');

create table public.coach_profile (
  user_id uuid not null,
  bio text not null default '',
  specialties text[] not null default '{}',
  years_coaching integer,
  certifications text[] not null default '{}',
  default_duration integer not null default 60,
  minimum_duration integer not null default 30,
  maximum_duration integer not null default 120,
  allow_custom_duration boolean not null default false,
  status public.profile_status not null default 'DRAFT',
  -- Bumped by trigger on everything that slots are computed from, except sessions; book_session refuses a decision made on another.
  availability_version integer not null default 1,
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint coach_profile_pkey primary key (user_id),
  constraint coach_profile_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete restrict,
  constraint coach_profile_bio_check check (length(bio) <= 2000),
  constraint coach_profile_specialties_check check (cardinality(specialties) <= 20),
  constraint coach_profile_certifications_check check (cardinality(certifications) <= 20),
  constraint coach_profile_years_check check (years_coaching between 0 and 80),
  constraint coach_profile_durations_check check (
    minimum_duration between 15 and 240 and maximum_duration between 15 and 240
    and minimum_duration <= default_duration and default_duration <= maximum_duration
    and minimum_duration % 5 = 0 and default_duration % 5 = 0 and maximum_duration % 5 = 0)
);
create index coach_profile_directory_idx on public.coach_profile (created_at desc, user_id desc) where status = 'PUBLISHED';
alter table public.coach_profile enable row level security;
alter table public.coach_profile force row level security;

-- Effective-dated. duration_minutes null is the hourly rate; otherwise the price of that duration as a whole.
create table public.coach_rate (
  id uuid not null default gen_random_uuid(),
  coach_id uuid not null,
  duration_minutes integer,
  amount integer not null,
  currency text not null,
  valid_from timestamptz(6) not null default now(),
  valid_to timestamptz(6),
  constraint coach_rate_pkey primary key (id),
  constraint coach_rate_coach_id_fkey foreign key (coach_id) references public.coach_profile (user_id) on update cascade on delete cascade,
  constraint coach_rate_amount_check check (amount between 0 and 99999999),
  constraint coach_rate_currency_check check (currency ~ '^[A-Z]{3}$'),
  constraint coach_rate_duration_check check (duration_minutes between 15 and 240 and duration_minutes % 5 = 0),
  constraint coach_rate_period_check check (valid_to is null or valid_to > valid_from),
  constraint coach_rate_one_at_a_time exclude using gist
    (coach_id with =, coalesce(duration_minutes, 0) with =, tstzrange(valid_from, valid_to) with &&)
);
create index coach_rate_coach_id_valid_from_idx on public.coach_rate (coach_id, valid_from);
alter table public.coach_rate enable row level security;
alter table public.coach_rate force row level security;

create table public.availability_schedule (
  id uuid not null default gen_random_uuid(),
  coach_id uuid not null,
  name text not null,
  type public.schedule_type not null default 'DEFAULT',
  timezone text not null,
  is_default boolean not null default false,
  weekly jsonb not null default '[]',
  overrides jsonb not null default '[]',
  buffer_before integer not null default 15,
  buffer_after integer not null default 15,
  slot_interval integer not null default 15,
  minimum_notice integer not null default 0,
  booking_window_days integer not null default 365,
  max_sessions_per_day integer,
  minimum_duration integer,
  maximum_duration integer,
  valid_from date,
  valid_to date,
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint availability_schedule_pkey primary key (id),
  constraint availability_schedule_coach_id_fkey foreign key (coach_id) references public.coach_profile (user_id) on update cascade on delete cascade,
  constraint availability_schedule_name_check check (length(name) between 1 and 100),
  constraint availability_schedule_default_check check (not is_default or type = 'DEFAULT'),
  constraint availability_schedule_json_check check (jsonb_typeof(weekly) = 'array' and jsonb_typeof(overrides) = 'array'),
  constraint availability_schedule_numbers_check check (
    buffer_before between 0 and 180 and buffer_after between 0 and 180 and slot_interval between 5 and 720
    and minimum_notice between 0 and 1051200 and booking_window_days between 1 and 730
    and max_sessions_per_day between 1 and 288),
  constraint availability_schedule_durations_check check (
    minimum_duration between 15 and 240 and maximum_duration between 15 and 240 and minimum_duration <= maximum_duration),
  constraint availability_schedule_dates_check check (valid_from <= valid_to)
);
create index availability_schedule_coach_id_created_at_id_idx on public.availability_schedule (coach_id, created_at, id);
create unique index availability_schedule_one_default on public.availability_schedule (coach_id) where is_default;
alter table public.availability_schedule enable row level security;
alter table public.availability_schedule force row level security;

create table public.session (
  id uuid not null default gen_random_uuid(),
  coach_id uuid not null,
  mentee_id uuid not null,
  status public.session_status not null,
  starts_at timestamptz(6) not null,
  ends_at timestamptz(6) not null,
  duration_minutes integer not null,
  buffer_before integer not null,
  buffer_after integer not null,
  -- Written by book_session and held by a check: timestamptz ± interval is not immutable, so it cannot be generated.
  blocked tstzrange not null,
  coach_timezone text not null,
  mentee_timezone text not null,
  rate_amount integer not null,
  price_amount integer not null,
  fee_amount integer not null,
  fee_bps integer not null,
  currency text not null,
  note text,
  hold_expires_at timestamptz(6),
  cancelled_at timestamptz(6),
  cancelled_by public.session_actor,
  cancellation_reason text,
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint session_pkey primary key (id),
  constraint session_coach_id_fkey foreign key (coach_id) references public.coach_profile (user_id) on update cascade on delete restrict,
  constraint session_mentee_id_fkey foreign key (mentee_id) references public.user_account (id) on update cascade on delete restrict,
  constraint session_parties_check check (coach_id <> mentee_id),
  constraint session_period_check check (
    duration_minutes between 15 and 240 and ends_at = starts_at + make_interval(mins => duration_minutes)),
  constraint session_blocked_check check (
    buffer_before between 0 and 180 and buffer_after between 0 and 180
    and blocked = tstzrange(starts_at - make_interval(mins => buffer_before), ends_at + make_interval(mins => buffer_after), '[)')),
  constraint session_money_check check (
    rate_amount >= 0 and price_amount >= 0 and fee_bps between 0 and 10000 and fee_amount between 0 and price_amount
    and currency ~ '^[A-Z]{3}$'),
  constraint session_note_check check (length(note) <= 2000),
  constraint session_hold_check check ((status = 'PENDING_PAYMENT') <= (hold_expires_at is not null)),
  constraint session_cancelled_check check ((status = 'CANCELLED') = (cancelled_at is not null and cancelled_by is not null)),
  constraint session_coach_free exclude using gist (coach_id with =, blocked with &&)
    where (status in ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS')),
  constraint session_mentee_free exclude using gist (mentee_id with =, tstzrange(starts_at, ends_at, '[)') with &&)
    where (status in ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS'))
);
create index session_coach_id_starts_at_id_idx on public.session (coach_id, starts_at desc, id desc);
create index session_mentee_id_starts_at_id_idx on public.session (mentee_id, starts_at desc, id desc);
create index session_hold_idx on public.session (hold_expires_at) where status = 'PENDING_PAYMENT';
alter table public.session enable row level security;
alter table public.session force row level security;

create table public.session_transition (
  id bigint generated always as identity,
  session_id uuid not null,
  from_status public.session_status,
  to_status public.session_status not null,
  actor public.session_actor not null,
  actor_id uuid,
  reason text,
  request_id text,
  occurred_at timestamptz(6) not null default now(),
  constraint session_transition_pkey primary key (id),
  constraint session_transition_session_id_fkey foreign key (session_id) references public.session (id) on update cascade on delete cascade
);
create index session_transition_session_id_id_idx on public.session_transition (session_id, id);
alter table public.session_transition enable row level security;
alter table public.session_transition force row level security;
