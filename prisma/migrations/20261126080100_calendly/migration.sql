-- Coaches' Calendly accounts: who is connected, sealed tokens, event types and what they are here, bookings, busy times, how far a sync got.
-- All of it private: it leaves through functions only.

create type public.calendly_status as enum ('CONNECTED', 'RECONNECT_REQUIRED', 'DISCONNECTED');
create type public.calendly_outcome as enum ('NEW', 'BOOKED', 'GUEST', 'UNMAPPED', 'MISMATCH', 'CLASH', 'MOVING', 'MOVED', 'CANCELLED');

create table private.calendly_connection (
  id uuid not null default gen_random_uuid(),
  coach_id uuid not null,
  user_uri text not null,
  organization_uri text not null,
  email text not null,
  name text not null,
  timezone text not null,
  scheduling_url text not null,
  status public.calendly_status not null,
  -- Counts how often the coach has connected: what was asked of an earlier connection is not done to a later one.
  generation integer not null default 1,
  connected_at timestamptz(6) not null,
  updated_at timestamptz(6) not null default now(),
  constraint calendly_connection_pkey primary key (id),
  constraint calendly_connection_coach_id_fkey foreign key (coach_id) references public.coach_profile (user_id) on update cascade on delete cascade
);
create unique index calendly_connection_coach_id_key on private.calendly_connection (coach_id);
create unique index calendly_connection_one_account on private.calendly_connection (user_uri) where status <> 'DISCONNECTED';
alter table private.calendly_connection enable row level security;
alter table private.calendly_connection force row level security;

-- Sealed by coachline.sealing. Kept when a refresh fails: a coach is asked to connect again, and nothing is forgotten.
create table private.calendly_token (
  coach_id uuid not null,
  access_token text not null,
  refresh_token text not null,
  expires_at timestamptz(6) not null,
  version integer not null default 1,
  refreshing_until timestamptz(6),
  constraint calendly_token_pkey primary key (coach_id),
  constraint calendly_token_coach_id_fkey foreign key (coach_id) references public.coach_profile (user_id) on update cascade on delete cascade
);
alter table private.calendly_token enable row level security;
alter table private.calendly_token force row level security;

-- One consent that a coach was sent to give; its state comes back once.
create table private.calendly_state (
  state_hash text not null,
  coach_id uuid not null,
  code_verifier text not null,
  expires_at timestamptz(6) not null,
  constraint calendly_state_pkey primary key (state_hash),
  constraint calendly_state_coach_id_fkey foreign key (coach_id) references public.coach_profile (user_id) on update cascade on delete cascade
);
create index calendly_state_expires_at_idx on private.calendly_state (expires_at);
alter table private.calendly_state enable row level security;
alter table private.calendly_state force row level security;

create table private.calendly_sync (
  coach_id uuid not null,
  phase text not null default 'WEBHOOK',
  -- Within the phase: a page token, or the start of the next week of busy times.
  cursor text,
  seen text[] not null default '{}',
  run_started_at timestamptz(6),
  due_at timestamptz(6) not null,
  leased_until timestamptz(6),
  finished_at timestamptz(6),
  last_error text,
  webhook_uri text,
  webhook_state text,
  constraint calendly_sync_pkey primary key (coach_id),
  constraint calendly_sync_coach_id_fkey foreign key (coach_id) references public.coach_profile (user_id) on update cascade on delete cascade,
  constraint calendly_sync_phase_check check (phase in ('WEBHOOK', 'EVENT_TYPES', 'EVENTS', 'BUSY'))
);
create index calendly_sync_due_at_idx on private.calendly_sync (due_at);
alter table private.calendly_sync enable row level security;
alter table private.calendly_sync force row level security;

create table private.calendly_event_type (
  id uuid not null default gen_random_uuid(),
  coach_id uuid not null,
  uri text not null,
  name text not null,
  active boolean not null,
  duration integer not null,
  duration_options integer[] not null default '{}',
  kind text not null,
  pooling_type text,
  scheduling_url text not null,
  before_buffer integer not null default 0,
  after_buffer integer not null default 0,
  changed_at timestamptz(6) not null,
  mapped boolean not null default false,
  session_type text,
  minimum_duration integer,
  maximum_duration integer,
  buffer_before integer not null default 0,
  buffer_after integer not null default 0,
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint calendly_event_type_pkey primary key (id),
  constraint calendly_event_type_coach_id_fkey foreign key (coach_id) references public.coach_profile (user_id) on update cascade on delete cascade,
  constraint calendly_event_type_mapping_check check (
    (not mapped or session_type in ('COACHING', 'INTRODUCTION', 'FOLLOW_UP')) and minimum_duration between 15 and 240
    and maximum_duration between 15 and 240 and minimum_duration <= maximum_duration
    and buffer_before between 0 and 180 and buffer_after between 0 and 180)
);
create unique index calendly_event_type_uri_key on private.calendly_event_type (uri);
create index calendly_event_type_coach_id_name_id_idx on private.calendly_event_type (coach_id, name, id);
alter table private.calendly_event_type enable row level security;
alter table private.calendly_event_type force row level security;

-- One row for each invitee, as Calendly says, and what it came to here. A reschedule makes a second row that names the first.
create table private.calendly_booking (
  invitee_uri text not null,
  event_uri text not null,
  coach_id uuid not null,
  event_type_uri text not null,
  email extensions.citext not null,
  name text not null,
  timezone text not null,
  starts_at timestamptz(6) not null,
  ends_at timestamptz(6) not null,
  canceled boolean not null,
  rescheduled boolean not null,
  old_invitee_uri text,
  new_invitee_uri text,
  canceler_type text,
  cancellation_reason text,
  canceled_at timestamptz(6),
  no_show_at timestamptz(6),
  no_show_seen_at timestamptz(6) not null,
  booked_at timestamptz(6) not null,
  event_changed_at timestamptz(6) not null,
  session_id uuid,
  outcome public.calendly_outcome not null default 'NEW',
  detail text,
  flags text[] not null default '{}',
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint calendly_booking_pkey primary key (invitee_uri),
  constraint calendly_booking_coach_id_fkey foreign key (coach_id) references public.coach_profile (user_id) on update cascade on delete cascade,
  constraint calendly_booking_session_id_fkey foreign key (session_id) references public.session (id) on update cascade on delete set null,
  constraint calendly_booking_period_check check (starts_at < ends_at)
);
create index calendly_booking_coach_id_starts_at_idx on private.calendly_booking (coach_id, starts_at);
create index calendly_booking_event_uri_idx on private.calendly_booking (event_uri);
create index calendly_booking_old_invitee_uri_idx on private.calendly_booking (old_invitee_uri);
create index calendly_booking_session_id_idx on private.calendly_booking (session_id);
create index calendly_booking_email_idx on private.calendly_booking (email) where outcome = 'GUEST';
alter table private.calendly_booking enable row level security;
alter table private.calendly_booking force row level security;

create table private.calendly_busy (
  coach_id uuid not null,
  starts_at timestamptz(6) not null,
  ends_at timestamptz(6) not null,
  constraint calendly_busy_pkey primary key (coach_id, starts_at, ends_at),
  constraint calendly_busy_coach_id_fkey foreign key (coach_id) references public.coach_profile (user_id) on update cascade on delete cascade,
  constraint calendly_busy_period_check check (starts_at < ends_at)
);
alter table private.calendly_busy enable row level security;
alter table private.calendly_busy force row level security;
