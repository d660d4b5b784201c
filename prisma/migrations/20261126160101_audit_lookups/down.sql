create index audit_log_row_idx on private.audit_log (table_name, row_id, id);
drop index private.audit_log_row_id_id_idx, private.audit_log_request_id_idx;
