-- A table that changes rarely would be looked for through the whole log.
create index audit_log_table_name_id_idx on private.audit_log (table_name, id);
