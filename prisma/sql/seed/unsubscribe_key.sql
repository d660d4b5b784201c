-- The first key is made here and stays here: the database signs unsubscribe links and checks them itself (docs/adr/042).
select private.rotate_unsubscribe_key() where not exists (select 1 from private.unsubscribe_key);
