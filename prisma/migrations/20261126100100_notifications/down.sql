-- The functions that take its rows go with it; they are files in prisma/sql.
drop table private.unsubscribe_key;
drop table private.email_delivery;
drop table public.notification_preference cascade;
drop table public.notification cascade;
