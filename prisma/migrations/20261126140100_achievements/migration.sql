-- What can be achieved, and who has achieved it.

create type public.achievement_type as enum ('MILESTONE', 'PERFORMANCE', 'LEARNING');
create type public.achievement_metric as enum (
  'SESSIONS_AS_COACH', 'SESSIONS_AS_MENTEE', 'HOURS_AS_COACH', 'HOURS_AS_MENTEE',
  'REVIEWS_RECEIVED', 'REVIEWS_WRITTEN', 'RATING_RECEIVED', 'GOALS_COMPLETED');
create type public.achievement_operator as enum ('AT_LEAST', 'AT_MOST', 'EXACTLY');
create type public.achievement_window as enum ('ALL_TIME', 'YEAR', 'MONTH');

-- The rule: within a window, the metric's sum is at least a threshold; or, with a streak, that many values in a row compare with it.
create table public.achievement_definition (
  id uuid not null default gen_random_uuid(),
  code text not null,
  title text not null,
  description text not null,
  type public.achievement_type not null,
  metric public.achievement_metric not null,
  operator public.achievement_operator not null default 'AT_LEAST',
  threshold numeric(12, 2) not null,
  "window" public.achievement_window not null default 'ALL_TIME',
  streak integer,
  retired_at timestamptz(6),
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint achievement_definition_pkey primary key (id),
  constraint achievement_definition_code_key unique (code),
  constraint achievement_definition_code_check check (code ~ '^[a-z][a-z0-9_]{1,63}$'),
  constraint achievement_definition_texts_check check (length(title) between 1 and 120 and length(description) between 1 and 500),
  -- A sum only grows, so "at most" would be true of everybody at once; what a streak compares are ratings.
  constraint achievement_definition_rule_check check (
    case when streak is null then operator = 'AT_LEAST' and threshold > 0 and metric <> 'RATING_RECEIVED'
    else streak between 2 and 1000 and metric = 'RATING_RECEIVED' and threshold between 1 and 5
      and case operator when 'AT_LEAST' then threshold > 1 when 'AT_MOST' then threshold < 5 else threshold = trunc(threshold) end end)
);
alter table public.achievement_definition enable row level security;
alter table public.achievement_definition force row level security;

-- Once for each person, definition and period, revoked or not.
create table public.achievement_grant (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  definition_id uuid not null,
  period text not null,
  earned_at timestamptz(6) not null,
  granted_at timestamptz(6) not null default now(),
  granted_by uuid,
  reason text,
  revoked_at timestamptz(6),
  revoked_by uuid,
  revoke_reason text,
  constraint achievement_grant_pkey primary key (id),
  constraint achievement_grant_once unique (user_id, definition_id, period),
  constraint achievement_grant_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete cascade,
  constraint achievement_grant_definition_id_fkey foreign key (definition_id) references public.achievement_definition (id) on update cascade on delete restrict,
  constraint achievement_grant_reasons_check check (length(reason) <= 1000 and length(revoke_reason) <= 1000),
  constraint achievement_grant_revoked_check check ((revoked_at is null) = (revoked_by is null) and (revoked_at is null) = (revoke_reason is null)),
  constraint achievement_grant_by_hand_check check ((granted_by is null) = (reason is null))
);
create index achievement_grant_definition_id_idx on public.achievement_grant (definition_id);
alter table public.achievement_grant enable row level security;
alter table public.achievement_grant force row level security;
