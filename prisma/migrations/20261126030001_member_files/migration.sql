-- Imports of member data: what was asked for and how far it is, and its rows until they are applied.

create table private.member_import (
  id uuid not null default gen_random_uuid(),
  created_by uuid not null,
  mode text not null,
  dry_run boolean not null,
  file_key text,
  status text not null default 'QUEUED',
  -- The last row that is staged (the header is row 1): where work goes on after a break.
  rows_read integer not null default 1,
  created integer not null default 0,
  updated integer not null default 0,
  unchanged integer not null default 0,
  invalid integer not null default 0,
  ignored_columns text[] not null default '{}',
  problem jsonb,
  created_at timestamptz(6) not null default now(),
  finished_at timestamptz(6),
  constraint member_import_pkey primary key (id),
  constraint member_import_created_by_fkey foreign key (created_by) references public.user_account (id) on update cascade on delete restrict,
  constraint member_import_mode_check check (mode in ('ALL_OR_NOTHING', 'VALID_ROWS')),
  constraint member_import_status_check check (status in ('QUEUED', 'CHECKING', 'APPLYING', 'COMPLETED', 'REFUSED')),
  constraint member_import_finished_check check ((finished_at is not null) = (status in ('COMPLETED', 'REFUSED')))
);
create index member_import_created_at_idx on private.member_import (created_at);
create index member_import_created_by_idx on private.member_import (created_by);
alter table private.member_import enable row level security;
alter table private.member_import force row level security;

-- Once an import is finished only findings stay, and they quote nobody: `data` is gone.
create table private.member_import_row (
  import_id uuid not null,
  row_number integer not null,
  user_id uuid,
  expected_version integer,
  decided_for text[],
  data jsonb,
  outcome text not null,
  findings jsonb not null default '[]',
  constraint member_import_row_pkey primary key (import_id, row_number),
  constraint member_import_row_import_id_fkey foreign key (import_id) references private.member_import (id) on update cascade on delete cascade,
  constraint member_import_row_outcome_check check (outcome in ('CREATE', 'UPDATE', 'UNCHANGED', 'INVALID', 'APPLIED'))
);
create index member_import_row_import_id_user_id_idx on private.member_import_row (import_id, user_id);
create index member_import_row_member_key_idx on private.member_import_row (import_id, (data ->> 'member_key'));
create index member_import_row_license_idx on private.member_import_row (import_id, (data ->> 'license_number'));
alter table private.member_import_row enable row level security;
alter table private.member_import_row force row level security;
