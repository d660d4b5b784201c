-- version counts the changes of a row that people edit; updated_at says when the last one was.
create or replace function private.touch() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.version := old.version + 1;
  new.updated_at := private.now();
  return new;
end $$;

create or replace function private.require_version(actual integer, expected integer) returns void
language plpgsql stable set search_path = '' as $$
begin
  if actual is distinct from expected then
    perform private.refuse(409, 'version_conflict',
      format('The current version is %s. Load it again, apply your change and send that version.', actual));
  end if;
end $$;

-- Keeps a patch to the columns that its route may change: a definer function must not trust the caller's keys.
create or replace function private.require_keys(patch jsonb, allowed text[]) returns void
language plpgsql stable set search_path = '' as $$
declare
  surplus text;
begin
  select k into surplus from jsonb_object_keys(patch) k where k <> all (allowed) limit 1;
  if surplus is not null then
    perform private.refuse(422, 'validation_failed', format('%s cannot be changed here.', surplus));
  end if;
end $$;
