-- A Zoom meeting for each scheduled session, who was there, and how many changes each Zoom host has left today.
-- All of it is private: a join link is given out by a function that knows the hour.

create table private.meeting (
  session_id uuid not null,
  host text,
  zoom_id bigint,
  join_url text,
  topic text,
  waiting_room boolean not null default true,
  -- What Zoom was last told; it is told again when this is no longer what the session says.
  applied jsonb,
  creations integer not null default 0,
  failures integer not null default 0,
  last_error text,
  due_at timestamptz(6),
  limited boolean not null default false,
  lease uuid,
  leased_until timestamptz(6),
  written_at timestamptz(6),
  deleted_at timestamptz(6),
  reconciled_at timestamptz(6),
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint meeting_pkey primary key (session_id),
  constraint meeting_session_id_fkey foreign key (session_id) references public.session (id) on update cascade on delete cascade,
  constraint meeting_topic_check check (length(topic) between 1 and 180),
  constraint meeting_link_check check ((zoom_id is null) = (join_url is null))
);
create unique index meeting_zoom_id_key on private.meeting (zoom_id);
create index meeting_due_at_idx on private.meeting (due_at) where due_at is not null;
create index meeting_unreconciled_idx on private.meeting (session_id) where reconciled_at is null and zoom_id is not null;
alter table private.meeting enable row level security;
alter table private.meeting force row level security;

-- A meeting that is left by all and entered again is another instance, with another uuid.
create table private.meeting_instance (
  zoom_uuid text not null,
  session_id uuid not null,
  started_at timestamptz(6),
  ended_at timestamptz(6),
  constraint meeting_instance_pkey primary key (zoom_uuid),
  constraint meeting_instance_session_id_fkey foreign key (session_id) references private.meeting (session_id) on update cascade on delete cascade,
  constraint meeting_instance_uuid_check check (length(zoom_uuid) between 1 and 200)
);
create index meeting_instance_session_id_idx on private.meeting_instance (session_id);
alter table private.meeting_instance enable row level security;
alter table private.meeting_instance force row level security;

create table private.meeting_presence (
  session_id uuid not null,
  zoom_uuid text not null,
  participant text not null,
  is_host boolean not null,
  joined_at timestamptz(6),
  left_at timestamptz(6),
  constraint meeting_presence_pkey primary key (session_id, zoom_uuid, participant),
  constraint meeting_presence_session_id_fkey foreign key (session_id) references private.meeting (session_id) on update cascade on delete cascade,
  constraint meeting_presence_lengths_check check (length(zoom_uuid) between 1 and 200 and length(participant) between 1 and 200)
);
alter table private.meeting_presence enable row level security;
alter table private.meeting_presence force row level security;

-- Who was given which link, when. Append-only.
create table private.meeting_access (
  id bigint generated always as identity,
  session_id uuid not null,
  user_id uuid not null,
  link text not null,
  request_id text,
  occurred_at timestamptz(6) not null default now(),
  constraint meeting_access_pkey primary key (id),
  constraint meeting_access_link_check check (link in ('JOIN', 'START'))
);
create index meeting_access_session_id_idx on private.meeting_access (session_id, id);
alter table private.meeting_access enable row level security;
alter table private.meeting_access force row level security;

create table private.zoom_host_day (
  host text not null,
  day date not null,
  used integer not null,
  constraint zoom_host_day_pkey primary key (host, day)
);
alter table private.zoom_host_day enable row level security;
alter table private.zoom_host_day force row level security;
