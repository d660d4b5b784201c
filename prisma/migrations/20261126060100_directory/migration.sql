-- What people see of coaches: languages, reviews, the directory's listing; and the figures, kept as they change (ADR 027, 028).

alter table public.coach_profile
  add column languages text[] not null default '{}',
  add constraint coach_profile_languages_check check (cardinality(languages) <= 20);

create type public.review_status as enum ('PUBLISHED', 'HIDDEN');

create table public.review (
  id uuid not null default gen_random_uuid(),
  session_id uuid not null,
  coach_id uuid not null,
  mentee_id uuid not null,
  rating integer not null,
  text text,
  status public.review_status not null default 'PUBLISHED',
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint review_pkey primary key (id),
  constraint review_session_id_key unique (session_id),
  constraint review_session_id_fkey foreign key (session_id) references public.session (id) on update cascade on delete restrict,
  constraint review_coach_id_fkey foreign key (coach_id) references public.coach_profile (user_id) on update cascade on delete restrict,
  constraint review_mentee_id_fkey foreign key (mentee_id) references public.user_account (id) on update cascade on delete restrict,
  constraint review_rating_check check (rating between 1 and 5),
  constraint review_text_check check (length(text) between 1 and 2000)
);
create index review_published_idx on public.review (coach_id, created_at desc, id desc) where status = 'PUBLISHED';
alter table public.review enable row level security;
alter table public.review force row level security;

-- One row for each change of a figure, written by trigger and folded into metric_day by a job. Inserts only: no booking waits for another.
-- No foreign keys: they would lock the people's rows, and a row lives for a minute.
create table private.metric_delta (
  id bigint generated always as identity,
  coach_id uuid not null,
  mentee_id uuid not null,
  day date not null,
  measure text not null,
  count integer not null,
  amount bigint not null,
  constraint metric_delta_pkey primary key (id)
);
create index metric_delta_coach_id_idx on private.metric_delta (coach_id);
create index metric_delta_mentee_id_idx on private.metric_delta (mentee_id);
alter table private.metric_delta enable row level security;
alter table private.metric_delta force row level security;

-- Figures by UTC day: of a coach, of a mentee, and of the platform (whose person is the nil UUID).
-- count is sessions, or reviews; amount their booked minutes, or the sum of their ratings.
create table private.metric_day (
  scope text not null,
  person_id uuid not null,
  day date not null,
  measure text not null,
  count integer not null,
  amount bigint not null,
  constraint metric_day_pkey primary key (scope, person_id, day, measure),
  constraint metric_day_scope_check check (scope in ('COACH', 'MENTEE', 'PLATFORM'))
);
create index metric_day_empty_idx on private.metric_day (scope) where count = 0 and amount = 0;
alter table private.metric_day enable row level security;
alter table private.metric_day force row level security;

-- One row per coach with all that the directory searches and sorts by.
create table private.coach_listing (
  coach_id uuid not null,
  listed boolean not null default false,
  created_at timestamptz(6) not null,
  specialties text[] not null default '{}',
  languages text[] not null default '{}',
  hourly_amount integer,
  currency text,
  search tsvector not null default '',
  rating_sum bigint not null default 0,
  review_count integer not null default 0,
  -- Hundredths, so that it can be a cursor; 0 is nobody's rating.
  rating integer not null default 0,
  completed integer not null default 0,
  -- The last moment of the year 9999 stands for none.
  next_free_at timestamptz(6) not null default '9999-12-31T23:59:59Z',
  -- What next_free_at was computed on and until when that holds; anything else, and it is computed again.
  next_free_until timestamptz(6) not null default '-infinity',
  next_free_version integer not null default 0,
  changes integer not null default 0,
  next_free_changes integer not null default 0,
  constraint coach_listing_pkey primary key (coach_id),
  constraint coach_listing_coach_id_fkey foreign key (coach_id) references public.coach_profile (user_id) on update cascade on delete cascade
);
create index coach_listing_newest_idx on private.coach_listing (created_at desc, coach_id desc) where listed;
create index coach_listing_rating_idx on private.coach_listing (rating desc, coach_id desc) where listed;
create index coach_listing_price_idx on private.coach_listing (currency, hourly_amount, coach_id) where listed;
create index coach_listing_next_free_idx on private.coach_listing (next_free_at, coach_id) where listed;
create index coach_listing_stale_idx on private.coach_listing (next_free_until) where listed;
create index coach_listing_search_idx on private.coach_listing using gin (search) where listed;
create index coach_listing_specialties_idx on private.coach_listing using gin (specialties) where listed;
alter table private.coach_listing enable row level security;
alter table private.coach_listing force row level security;

-- The rest of today, platform-wide: what of it is still ahead.
create index session_ahead_idx on public.session (starts_at) where status = 'SCHEDULED';
