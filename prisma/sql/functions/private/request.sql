-- What PostgREST tells of the request in hand. Outside a request every one of these is null.
create or replace function private.request_header(name text) returns text
language plpgsql stable set search_path = '' as $$
begin
  return nullif(pg_catalog.current_setting('request.headers', true), '')::jsonb ->> name;
end $$;

create or replace function private.request_role() returns text
language plpgsql stable set search_path = '' as $$
begin
  return coalesce(nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'role', 'anon');
end $$;

create or replace function private.request_id() returns text
language sql stable set search_path = '' as $$
  select private.request_header('x-request-id');
$$;

-- Adds headers to the response; those set before stay.
create or replace function private.respond_with(headers jsonb) returns void
language plpgsql volatile set search_path = '' as $$
begin
  perform pg_catalog.set_config(
    'response.headers',
    (coalesce(nullif(pg_catalog.current_setting('response.headers', true), '')::jsonb, '[]') || headers)::text,
    true);
end $$;
