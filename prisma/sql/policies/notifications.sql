drop policy if exists self_or_admin on public.notification;
create policy self_or_admin on public.notification for select to authenticated
  using (user_id = (select private.caller_id()) or (select private.caller_is('ADMIN')));

drop policy if exists self_or_admin on public.notification_preference;
create policy self_or_admin on public.notification_preference for select to authenticated
  using (user_id = (select private.caller_id()) or (select private.caller_is('ADMIN')));
