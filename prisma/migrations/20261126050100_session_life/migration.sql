-- What happens to a session after it is booked: moved, cancelled with a refund due, held, missed, and reminded of.

alter table public.session
  add column rescheduled_count integer not null default 0,
  add column mentee_reschedules integer not null default 0,
  add column rescheduled_at timestamptz(6),
  add column refund_percent integer,
  add column refund_amount integer,
  add column no_show_by public.session_actor,
  add column completed_at timestamptz(6),
  add constraint session_reschedules_check check (
    mentee_reschedules between 0 and 2 and mentee_reschedules <= rescheduled_count and (rescheduled_count > 0) = (rescheduled_at is not null)),
  add constraint session_refund_check check (
    (refund_percent is null) = (refund_amount is null) and refund_percent between 0 and 100 and refund_amount between 0 and price_amount
    and (refund_percent is null or status in ('CANCELLED', 'NO_SHOW'))),
  add constraint session_no_show_check check (no_show_by is null or (status = 'NO_SHOW' and no_show_by in ('MENTEE', 'COACH'))),
  add constraint session_completed_check check (completed_at is null or status = 'COMPLETED');

-- What advance_sessions looks for, every minute.
create index session_unfinished_idx on public.session (ends_at) where status in ('SCHEDULED', 'IN_PROGRESS');

-- A row with times is a reschedule. `version` is the session's own after the change, null in rows older than this column.
alter table public.session_transition
  add column version integer,
  add column from_starts_at timestamptz(6),
  add column from_ends_at timestamptz(6),
  add column to_starts_at timestamptz(6),
  add column to_ends_at timestamptz(6),
  add constraint session_transition_times_check check (num_nonnulls(from_starts_at, from_ends_at, to_starts_at, to_ends_at) in (0, 4));

-- `edition` is the session's count of reschedules: a moved session is reminded of again.
create table private.session_reminder (
  session_id uuid not null,
  kind text not null,
  edition integer not null,
  sent_at timestamptz(6) not null default now(),
  constraint session_reminder_pkey primary key (session_id, kind, edition),
  constraint session_reminder_session_id_fkey foreign key (session_id) references public.session (id) on update cascade on delete cascade,
  constraint session_reminder_kind_check check (kind in ('24h', '1h'))
);
alter table private.session_reminder enable row level security;
alter table private.session_reminder force row level security;
