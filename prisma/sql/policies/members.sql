drop policy if exists own_or_admin on public.member_profile;
create policy own_or_admin on public.member_profile for select to authenticated
  using (user_id = (select private.caller_id()) or (select private.caller_is('ADMIN')));

drop policy if exists own_or_admin on public.member_change;
create policy own_or_admin on public.member_change for select to authenticated
  using (user_id = (select private.caller_id()) or (select private.caller_is('ADMIN')));
