-- What a hosted Supabase project has before its first migration, as far as this system can tell the difference:
-- roles, grants, default privileges, timeouts, the extensions and auth schemas. Run by supabase_admin; may run again.
-- The connection carries the password of the login roles in the setting devstack.password.

do $$
declare
  wanted record;
begin
  for wanted in select * from (values
    ('postgres', 'login createdb createrole replication bypassrls'),  -- not a superuser: runs migrations and prisma/sql
    ('authenticator', 'login noinherit'),                             -- PostgREST connects as this one
    ('anon', 'nologin'),
    ('authenticated', 'nologin'),
    ('service_role', 'nologin bypassrls')
  ) as role (name, attributes) loop
    if to_regrole(wanted.name) is null then
      execute format('create role %I', wanted.name);
    end if;
    execute format('alter role %I with %s', wanted.name, wanted.attributes);
  end loop;
  execute format('alter role postgres password %L', current_setting('devstack.password'));
  execute format('alter role authenticator password %L', current_setting('devstack.password'));
  execute format('alter database %I owner to postgres', current_database());
end $$;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
-- Hosted, an extension of Supabase's lets postgres set this; a server without it needs the grant.
grant set on parameter "pgrst.db_pre_request" to postgres;

alter role supabase_admin set search_path = "$user", public, auth, extensions;
alter role postgres set search_path = "$user", public, extensions;
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';

grant usage on schema public to postgres, anon, authenticated, service_role;
-- Everything that these two create in public is open to every API role until somebody revokes it.
alter default privileges for role postgres, supabase_admin in schema public
  grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role postgres, supabase_admin in schema public
  grant all on sequences to postgres, anon, authenticated, service_role;
alter default privileges for role postgres, supabase_admin in schema public
  grant all on functions to postgres, anon, authenticated, service_role;

create schema if not exists extensions;
grant all on schema extensions to postgres;
grant usage on schema extensions to anon, authenticated, service_role;
create extension if not exists pgcrypto with schema extensions;
create extension if not exists "uuid-ossp" with schema extensions;

create schema if not exists auth;
grant usage on schema auth to postgres, anon, authenticated, service_role;

create or replace function auth.jwt() returns jsonb language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim', true), ''),
                  nullif(current_setting('request.jwt.claims', true), ''))::jsonb;
$$;
create or replace function auth.uid() returns uuid language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
                  nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;
$$;
create or replace function auth.role() returns text language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
                  nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role');
$$;

-- Not Supabase's: where the stack keeps what only the stack has.
create schema if not exists devstack authorization postgres;
