drop index private.webhook_event_failed_idx;
drop index private.webhook_event_received_at_id_idx;
alter table private.webhook_event drop column replays;
drop table private.applied_event;
