-- Identity, and the tables that every write leans on: settings, audit, outbox, inbox, idempotency, rate limits.
-- A new table is closed by default: row-level security on and forced, no policy. Policies and grants live in prisma/sql.

create schema if not exists private;
create extension if not exists citext with schema extensions;
create extension if not exists btree_gist with schema extensions;

-- Prisma's own bookkeeping has to stay in public (P3005 otherwise), so nobody but its owner may see it.
alter table public._prisma_migrations enable row level security;
revoke all on public._prisma_migrations from public, anon, authenticated, service_role;

create type public.role_name as enum ('MENTEE', 'COACH', 'ADMIN');
create type public.user_status as enum ('ACTIVE', 'INACTIVE', 'SUSPENDED');

create table public.user_account (
  id uuid not null default gen_random_uuid(),
  clerk_id text not null,
  email extensions.citext,
  email_verified boolean not null default false,
  first_name text,
  last_name text,
  timezone text not null default 'UTC',
  locale text not null default 'en-US',
  status public.user_status not null default 'ACTIVE',
  version integer not null default 1,
  clerk_updated_at timestamptz(6),
  deleted_at timestamptz(6),
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint user_account_pkey primary key (id),
  constraint user_account_clerk_id_check check (length(clerk_id) between 1 and 255),
  constraint user_account_email_check check (length(email::text) <= 320),
  constraint user_account_name_check check (length(first_name) <= 100 and length(last_name) <= 100),
  constraint user_account_tombstone_check check (deleted_at is null or (email is null and first_name is null and last_name is null))
);
create unique index user_account_clerk_id_key on public.user_account (clerk_id);
create index user_account_email_idx on public.user_account (email);
alter table public.user_account enable row level security;
alter table public.user_account force row level security;

create table public.user_role (
  user_id uuid not null,
  role public.role_name not null,
  granted_at timestamptz(6) not null default now(),
  constraint user_role_pkey primary key (user_id, role),
  constraint user_role_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete cascade
);
create index user_role_role_idx on public.user_role (role);
alter table public.user_role enable row level security;
alter table public.user_role force row level security;

create table private.setting (
  key text not null,
  value jsonb not null,
  updated_at timestamptz(6) not null default now(),
  constraint setting_pkey primary key (key)
);
alter table private.setting enable row level security;
alter table private.setting force row level security;

create table private.role_permission (
  role public.role_name not null,
  permission text not null,
  constraint role_permission_pkey primary key (role, permission),
  constraint role_permission_permission_check check (permission ~ '^[a-z_]+:[a-z_]+$')
);
alter table private.role_permission enable row level security;
alter table private.role_permission force row level security;

create table private.audit_log (
  id bigint generated always as identity,
  occurred_at timestamptz(6) not null default now(),
  actor_id uuid,
  impersonator text,
  database_role text not null,
  request_id text,
  action text not null,
  table_name text not null,
  row_id text not null,
  before jsonb,
  after jsonb,
  reason text,
  constraint audit_log_pkey primary key (id)
);
create index audit_log_row_idx on private.audit_log (table_name, row_id, id);
create index audit_log_actor_idx on private.audit_log (actor_id, id);
alter table private.audit_log enable row level security;
alter table private.audit_log force row level security;

create table private.outbox_event (
  id uuid not null default gen_random_uuid(),
  sequence bigint generated always as identity,
  type text not null,
  payload jsonb not null,
  occurred_at timestamptz(6) not null default now(),
  claimed_until timestamptz(6),
  attempts integer not null default 0,
  published_at timestamptz(6),
  constraint outbox_event_pkey primary key (id)
);
create index outbox_event_unpublished_idx on private.outbox_event (sequence) where published_at is null;
alter table private.outbox_event enable row level security;
alter table private.outbox_event force row level security;

create table private.webhook_event (
  id uuid not null default gen_random_uuid(),
  provider text not null,
  external_id text not null,
  type text not null,
  payload jsonb not null,
  received_at timestamptz(6) not null default now(),
  enqueued_at timestamptz(6),
  leased_until timestamptz(6),
  attempts integer not null default 0,
  handled_at timestamptz(6),
  failed_at timestamptz(6),
  last_error text,
  constraint webhook_event_pkey primary key (id),
  constraint webhook_event_provider_check check (provider in ('clerk', 'stripe', 'zoom', 'calendly')),
  constraint webhook_event_outcome_check check (handled_at is null or failed_at is null)
);
create unique index webhook_event_provider_external_id_key on private.webhook_event (provider, external_id);
create index webhook_event_waiting_idx on private.webhook_event (received_at) where handled_at is null and failed_at is null;
alter table private.webhook_event enable row level security;
alter table private.webhook_event force row level security;

create table private.idempotency_key (
  caller_id uuid not null,
  route text not null,
  key text not null,
  fingerprint text not null,
  status integer not null,
  body jsonb not null,
  created_at timestamptz(6) not null default now(),
  constraint idempotency_key_pkey primary key (caller_id, route, key),
  constraint idempotency_key_length_check check (length(key) between 1 and 255)
);
create index idempotency_key_created_at_idx on private.idempotency_key (created_at);
alter table private.idempotency_key enable row level security;
alter table private.idempotency_key force row level security;

create table private.rate_limit (
  caller_id uuid not null,
  policy text not null,
  window_started_at timestamptz(6) not null,
  used integer not null,
  constraint rate_limit_pkey primary key (caller_id, policy)
);
alter table private.rate_limit enable row level security;
alter table private.rate_limit force row level security;

-- Which prisma/sql is live: its hash, written in the transaction that applied it.
create table private.sql_revision (
  hash text not null,
  applied_at timestamptz(6) not null default now(),
  constraint sql_revision_pkey primary key (hash, applied_at)
);
alter table private.sql_revision enable row level security;
alter table private.sql_revision force row level security;
