-- The one clock of every rule in the database. The local stack replaces it with one that can be moved; nothing else may.
create or replace function private.now() returns timestamptz
language plpgsql stable set search_path = '' as $$
begin
  return pg_catalog.now();
end $$;
