-- Which events of the bus each consumer has applied, and how often an operator sent a webhook's event on its way again.

create table private.applied_event (
  consumer text not null,
  event_id uuid not null,
  applied_at timestamptz(6) not null default now(),
  constraint applied_event_pkey primary key (consumer, event_id)
);
create index applied_event_applied_at_idx on private.applied_event (applied_at);
alter table private.applied_event enable row level security;
alter table private.applied_event force row level security;

alter table private.webhook_event add column replays integer not null default 0;
create index webhook_event_received_at_id_idx on private.webhook_event (received_at desc, id desc);
create index webhook_event_failed_idx on private.webhook_event (received_at desc, id desc) where failed_at is not null;
