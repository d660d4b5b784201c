-- What people are told, in the app and by e-mail, and what they do not want to hear.
-- A row keeps the event's ids and instants; names are looked up when it is read, so that a deleted person's is gone from here, too.

create table public.notification (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  event_id uuid not null,
  type text not null,
  payload jsonb not null,
  read_at timestamptz(6),
  created_at timestamptz(6) not null default now(),
  constraint notification_pkey primary key (id),
  constraint notification_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete cascade
);
create unique index notification_user_id_event_id_type_key on public.notification (user_id, event_id, type);
create index notification_user_id_created_at_id_idx on public.notification (user_id, created_at desc, id desc);
create index notification_unread_idx on public.notification (user_id) where read_at is null;
alter table public.notification enable row level security;
alter table public.notification force row level security;

-- choices: {type: {"in_app" | "email": true | false}}, only where they differ from the defaults.
create table public.notification_preference (
  user_id uuid not null,
  choices jsonb not null default '{}',
  version integer not null default 1,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint notification_preference_pkey primary key (user_id),
  constraint notification_preference_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete cascade,
  constraint notification_preference_choices_check check (jsonb_typeof(choices) = 'object')
);
alter table public.notification_preference enable row level security;
alter table public.notification_preference force row level security;

-- E-mails to be sent, one for each recipient of an event. The address is looked up when it is sent, and not kept.
create table private.email_delivery (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  event_id uuid not null,
  type text not null,
  payload jsonb not null,
  state text not null default 'PENDING',
  attempts integer not null default 0,
  leased_until timestamptz(6),
  last_error text,
  message_id text,
  created_at timestamptz(6) not null default now(),
  finished_at timestamptz(6),
  constraint email_delivery_pkey primary key (id),
  constraint email_delivery_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete cascade,
  constraint email_delivery_state_check check (state in ('PENDING', 'SENT', 'DROPPED', 'FAILED')),
  constraint email_delivery_finished_check check ((state = 'PENDING') = (finished_at is null))
);
create unique index email_delivery_event_id_user_id_type_key on private.email_delivery (event_id, user_id, type);
create index email_delivery_user_id_idx on private.email_delivery (user_id);
create index email_delivery_pending_idx on private.email_delivery (created_at) where state = 'PENDING';
alter table private.email_delivery enable row level security;
alter table private.email_delivery force row level security;

-- What signs the unsubscribe links of e-mails, newest last. Here and not among the settings: those are audited, values and all.
create table private.unsubscribe_key (
  id bigint generated always as identity,
  key text not null,
  created_at timestamptz(6) not null default now(),
  constraint unsubscribe_key_pkey primary key (id),
  constraint unsubscribe_key_key_check check (key ~ '^[0-9a-f]{64}$')
);
alter table private.unsubscribe_key enable row level security;
alter table private.unsubscribe_key force row level security;
