alter table private.payment drop column included;
drop table private.included_session cascade;
drop function if exists private.including_subscription(uuid, timestamptz), private.return_included_session();
