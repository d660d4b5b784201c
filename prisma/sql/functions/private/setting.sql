-- Settings that the database itself needs: the gate's hash, issuers, maintenance, limits, flags.
create or replace function private.setting(wanted text, otherwise jsonb default null) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  return coalesce((select s.value from private.setting s where s.key = wanted), otherwise);
end $$;

create or replace function private.set_setting(key text, value jsonb) returns void
language sql security definer set search_path = '' as $$
  insert into private.setting as s (key, value) values (set_setting.key, set_setting.value)
  on conflict on constraint setting_pkey do update set value = excluded.value, updated_at = pg_catalog.now();
$$;
