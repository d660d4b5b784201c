-- Member data after RESO's Data Dictionary 2.0, and every change of it, field by field.

create extension if not exists pg_trgm with schema extensions;

create type public.member_status as enum ('ACTIVE', 'INACTIVE', 'PENDING', 'SUSPENDED');

create table public.member_profile (
  user_id uuid not null,
  member_key text,
  member_mls_id text,
  member_status public.member_status not null default 'PENDING',
  member_type text,
  designations text[] not null default '{}',
  license_number text,
  license_state text,
  license_expiration date,
  license_type text,
  company_name text,
  phone text,
  national_association_id text,
  aor text,
  languages text[] not null default '{}',
  bio text,
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint member_profile_pkey primary key (user_id),
  constraint member_profile_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete restrict,
  -- Empty text is no value: what is there has at least one character.
  constraint member_profile_lengths_check check (
    length(member_key) between 1 and 255 and length(member_mls_id) between 1 and 25 and length(member_type) between 1 and 50
    and length(license_number) between 1 and 50 and length(license_type) between 1 and 30 and length(company_name) between 1 and 255
    and length(national_association_id) between 1 and 25 and length(aor) between 1 and 50 and length(bio) between 1 and 1024),
  constraint member_profile_license_check check (license_number = upper(license_number) and license_state ~ '^[A-Z]{2}$'),
  constraint member_profile_phone_check check (phone ~ '^\+[1-9][0-9]{1,14}$'),
  constraint member_profile_sets_check check (cardinality(designations) <= 50 and cardinality(languages) <= 200)
);
create unique index member_profile_member_key_key on public.member_profile (member_key);
-- A licence without its state is one licence too: two of them clash.
create unique index member_profile_license_key on public.member_profile (license_number, license_state) nulls not distinct
  where license_number is not null;
create index member_profile_created_at_user_id_idx on public.member_profile (created_at desc, user_id desc);
create index member_profile_license_expiration_idx on public.member_profile (license_expiration) where license_expiration is not null;
alter table public.member_profile enable row level security;
alter table public.member_profile force row level security;

-- Written by trigger, one row for each field that changed. `version` is the profile's after the change.
create table public.member_change (
  id bigint generated always as identity,
  user_id uuid not null,
  version integer not null,
  field text not null,
  old_value jsonb,
  new_value jsonb,
  actor_id uuid,
  impersonator text,
  database_role text not null,
  request_id text,
  reason text,
  changed_at timestamptz(6) not null,
  constraint member_change_pkey primary key (id),
  constraint member_change_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete restrict
);
create index member_change_user_id_id_idx on public.member_change (user_id, id);
create index member_change_changed_at_idx on public.member_change (changed_at);
alter table public.member_change enable row level security;
alter table public.member_change force row level security;
