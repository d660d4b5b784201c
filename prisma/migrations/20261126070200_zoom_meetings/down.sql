drop table private.zoom_host_day;
drop table private.meeting_access;
drop table private.meeting_presence;
drop table private.meeting_instance;
-- The functions that take its rows go with it; they are files in prisma/sql.
drop table private.meeting cascade;
