drop policy if exists own_or_admin on public.coach_profile;
create policy own_or_admin on public.coach_profile for select to authenticated
  using (user_id = (select private.caller_id()) or (select private.caller_is('ADMIN')));

drop policy if exists own_or_admin on public.coach_rate;
create policy own_or_admin on public.coach_rate for select to authenticated
  using (coach_id = (select private.caller_id()) or (select private.caller_is('ADMIN')));

drop policy if exists own_or_admin on public.availability_schedule;
create policy own_or_admin on public.availability_schedule for select to authenticated
  using (coach_id = (select private.caller_id()) or (select private.caller_is('ADMIN')));
