-- One counter per coach for everything slots are computed from, except sessions (the exclusion constraints hold those).
create or replace function private.bump_availability() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  update public.coach_profile p set availability_version = p.availability_version + 1
  where p.user_id = coalesce(new.coach_id, old.coach_id);
  return null;
end $$;

drop trigger if exists availability_version on public.availability_schedule;
create trigger availability_version after insert or update or delete on public.availability_schedule
  for each row execute function private.bump_availability();

drop trigger if exists availability_version on public.coach_rate;
create trigger availability_version after insert or update or delete on public.coach_rate
  for each row execute function private.bump_availability();

-- An edit of the profile itself counts in both; a bump from the triggers above is nobody's edit and leaves `version` alone.
create or replace function private.touch_profile() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.availability_version = old.availability_version then
    new.availability_version := old.availability_version + 1;
    new.version := old.version + 1;
    new.updated_at := private.now();
  end if;
  return new;
end $$;

drop trigger if exists touch on public.coach_profile;
create trigger touch before update on public.coach_profile for each row execute function private.touch_profile();
