drop table private.currency cascade;
