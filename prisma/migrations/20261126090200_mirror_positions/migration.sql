-- One sequence numbers every write of the mirror, so that a single number, read before a page of objects is fetched, says of each of them whether
-- another was faster. Numbers from before are smaller than any that is given out.
create sequence private.stripe_write as bigint;
select nextval('private.stripe_write');
alter table private.stripe_object alter column writes type bigint;
alter table private.stripe_object rename column writes to last_write;
update private.stripe_object set last_write = 0;

-- One thing at a time is asked about one object, whatever it is: a lost pause that is repeated must not undo the resumption after it.
drop index private.stripe_command_one_running;
create unique index stripe_command_one_running on private.stripe_command (subject_id) where state = 'SENT';
