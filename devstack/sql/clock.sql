-- The movable clock of the local stack: POST /_dev/clock writes the one row, and private.now() follows it.
create table if not exists devstack.clock (
  only_row boolean primary key default true check (only_row),
  fixed_at timestamptz
);
insert into devstack.clock (fixed_at) values (null) on conflict do nothing;

-- Definer: callers read the clock through this function and in no other way.
create or replace function private.now() returns timestamptz
language plpgsql stable security definer set search_path = '' as $$
begin
  return coalesce((select c.fixed_at from devstack.clock c), pg_catalog.now());
end $$;
