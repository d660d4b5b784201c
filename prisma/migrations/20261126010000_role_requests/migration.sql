-- Applications for a role, and the log of every change of anybody's roles.

create extension if not exists pg_trgm with schema extensions;

create type public.role_request_status as enum ('REQUESTED', 'APPROVED', 'REJECTED', 'WITHDRAWN');

create table public.role_request (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  role public.role_name not null,
  status public.role_request_status not null default 'REQUESTED',
  statement text not null,
  experience text,
  specialties text[] not null default '{}',
  license_number text,
  license_state text,
  decided_at timestamptz(6),
  decided_by uuid,
  decision_reason text,
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint role_request_pkey primary key (id),
  constraint role_request_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete cascade,
  constraint role_request_texts_check check (
    length(statement) <= 4000 and length(experience) <= 4000 and cardinality(specialties) <= 20 and length(decision_reason) <= 1000
    and length(license_number) <= 50 and length(license_state) <= 50),
  constraint role_request_decision_check check ((status = 'REQUESTED') = (decided_at is null)),
  constraint role_request_decider_check check (status not in ('APPROVED', 'REJECTED') or (decided_by is not null and decided_by <> user_id)),
  constraint role_request_reason_check check (status <> 'REJECTED' or decision_reason is not null)
);
create unique index role_request_one_open on public.role_request (user_id, role) where status = 'REQUESTED';
create index role_request_user_id_created_at_id_idx on public.role_request (user_id, created_at, id);
create index role_request_status_created_at_id_idx on public.role_request (status, created_at, id);
create index role_request_created_at_id_idx on public.role_request (created_at, id);
alter table public.role_request enable row level security;
alter table public.role_request force row level security;

-- No foreign keys: the log outlives what it tells of.
create table private.role_change (
  id bigint generated always as identity,
  user_id uuid not null,
  actor_id uuid,
  before public.role_name[] not null,
  after public.role_name[] not null,
  reason text,
  role_request_id uuid,
  request_id text,
  occurred_at timestamptz(6) not null default now(),
  constraint role_change_pkey primary key (id),
  constraint role_change_changes_check check (before <> after)
);
create index role_change_user_id_idx on private.role_change (user_id, id);
create index role_change_actor_id_idx on private.role_change (actor_id, id);
create index role_change_occurred_at_idx on private.role_change (occurred_at);
alter table private.role_change enable row level security;
alter table private.role_change force row level security;

-- The log begins with what everybody has by now.
insert into private.role_change (user_id, before, after, reason, occurred_at)
select r.user_id, '{}', array_agg(r.role order by r.role), 'Held when the log began', min(r.granted_at)
from public.user_role r group by r.user_id;

-- Lists and searches of people by admins.
create index user_account_created_at_id_idx on public.user_account (created_at, id);
create index user_account_search_idx on public.user_account using gin
  ((coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(email::text, '')) extensions.gin_trgm_ops);
create index audit_log_occurred_at_idx on private.audit_log (occurred_at);
