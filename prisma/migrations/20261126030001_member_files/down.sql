-- The functions that take or return these rows go with them; prisma/sql makes them again.
drop table private.member_import_row cascade;
drop table private.member_import cascade;
