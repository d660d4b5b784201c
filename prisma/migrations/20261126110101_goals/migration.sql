-- What people set out to do: goals, the entries that bring them on, and what happened to them.

create type public.goal_type as enum ('SALES', 'LISTINGS', 'CLIENTS', 'SESSIONS', 'HOURS', 'REVENUE', 'REVIEWS', 'CUSTOM');
create type public.goal_status as enum ('ACTIVE', 'COMPLETED', 'OVERDUE');
create type public.goal_direction as enum ('UP', 'DOWN');
create type public.goal_counting as enum ('TOTAL', 'LATEST');
create type public.goal_source as enum ('MANUAL', 'AUTOMATIC');
create type public.goal_event_kind as enum ('CREATED', 'MILESTONE', 'COMPLETED', 'REOPENED', 'OVERDUE', 'EXTENDED', 'REMINDED');

create table public.goal (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  type public.goal_type not null,
  title text not null,
  description text,
  unit text not null,
  direction public.goal_direction not null default 'UP',
  counting public.goal_counting not null default 'TOTAL',
  source public.goal_source not null default 'MANUAL',
  start_value numeric(20, 2) not null default 0,
  target_value numeric(20, 2) not null,
  milestones numeric(20, 2)[] not null default '{}',
  starts_on date not null,
  deadline date not null,
  timezone text not null,
  -- Of the two dates in the zone, kept beside them for the job's index: the first instant, and the first one after.
  starts_at timestamptz(6) not null,
  due_at timestamptz(6) not null,
  -- When the deadline was last set: what was to be told before that moment is not told.
  deadline_set_at timestamptz(6) not null default now(),
  shared boolean not null default false,
  -- Both follow from the entries and the time (private.settle_goal).
  value numeric(20, 2) not null,
  status public.goal_status not null default 'ACTIVE',
  completed_at timestamptz(6),
  first_completed_at timestamptz(6),
  deleted_at timestamptz(6),
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint goal_pkey primary key (id),
  constraint goal_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete cascade,
  constraint goal_texts_check check (length(title) between 1 and 200 and length(description) <= 2000 and length(unit) between 1 and 32),
  constraint goal_target_check check (
    case direction when 'UP' then target_value > start_value and target_value > 0 else target_value < start_value and target_value >= 0 end),
  constraint goal_milestones_check check (cardinality(milestones) <= 10),
  constraint goal_source_check check (source = 'MANUAL' or (type in ('SESSIONS', 'HOURS', 'REVIEWS') and direction = 'UP' and counting = 'TOTAL')),
  constraint goal_period_check check (deadline >= starts_on and starts_at < due_at),
  constraint goal_completed_check check ((status = 'COMPLETED') = (completed_at is not null))
);
create index goal_user_id_created_at_id_idx on public.goal (user_id, created_at desc, id desc) where deleted_at is null;
create index goal_due_at_idx on public.goal (due_at) where status = 'ACTIVE' and deleted_at is null;
create index goal_first_completed_idx on public.goal (user_id, first_completed_at) where first_completed_at is not null;
create index goal_automatic_idx on public.goal (user_id) where source = 'AUTOMATIC' and deleted_at is null;
alter table public.goal enable row level security;
alter table public.goal force row level security;

-- Append-only. A wrong entry is put right by another; source_id is the session or review that an automatic one counts.
create table public.goal_progress (
  id uuid not null default gen_random_uuid(),
  goal_id uuid not null,
  amount numeric(20, 2) not null,
  occurred_at timestamptz(6) not null,
  note text,
  source_id uuid,
  recorded_by uuid,
  created_at timestamptz(6) not null default now(),
  constraint goal_progress_pkey primary key (id),
  constraint goal_progress_goal_id_fkey foreign key (goal_id) references public.goal (id) on update cascade on delete cascade,
  constraint goal_progress_note_check check (length(note) between 1 and 1000),
  constraint goal_progress_source_key unique (goal_id, source_id)
);
create index goal_progress_goal_id_occurred_at_id_idx on public.goal_progress (goal_id, occurred_at desc, id desc);
alter table public.goal_progress enable row level security;
alter table public.goal_progress force row level security;

-- Append-only. `key` says of what happens once what it is: the milestone's value, the deadline, the deadline and the days before it.
create table public.goal_event (
  id bigint generated always as identity,
  goal_id uuid not null,
  kind public.goal_event_kind not null,
  key text,
  details jsonb not null default '{}',
  occurred_at timestamptz(6) not null,
  constraint goal_event_pkey primary key (id),
  constraint goal_event_goal_id_fkey foreign key (goal_id) references public.goal (id) on update cascade on delete cascade
);
create unique index goal_event_once_idx on public.goal_event (goal_id, kind, key) where key is not null;
create index goal_event_goal_id_id_idx on public.goal_event (goal_id, id);
alter table public.goal_event enable row level security;
alter table public.goal_event force row level security;

-- What counts towards goals and achievements of one person.
create index session_completed_coach_idx on public.session (coach_id, completed_at) where status = 'COMPLETED';
create index session_completed_mentee_idx on public.session (mentee_id, completed_at) where status = 'COMPLETED';
create index review_coach_id_created_at_idx on public.review (coach_id, created_at);
create index review_mentee_id_created_at_idx on public.review (mentee_id, created_at);
