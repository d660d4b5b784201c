-- Undoes 20261126140101_shared_goals. Postgres cannot take a value out of an enumeration: it stays, unused.
delete from public.goal_event where kind = 'SHARED';
