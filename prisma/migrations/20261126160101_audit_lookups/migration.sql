-- The log of everything is asked for what one request did, and for a row whichever table it is of.
create index audit_log_request_id_idx on private.audit_log (request_id) where request_id is not null;
create index audit_log_row_id_id_idx on private.audit_log (row_id, id);
drop index private.audit_log_row_idx;
