drop index private.audit_log_table_name_id_idx;
