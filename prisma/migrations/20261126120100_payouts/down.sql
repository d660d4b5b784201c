drop table private.coach_account cascade;
