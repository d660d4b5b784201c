-- The second wall: what a token may see by itself, whatever a query forgets. Nobody writes a table directly: writes are functions.
drop policy if exists own_or_admin on public.user_account;
create policy own_or_admin on public.user_account for select to authenticated
  using (id = (select private.caller_id()) or (select private.caller_is('ADMIN')));

drop policy if exists own_or_admin on public.role_request;
create policy own_or_admin on public.role_request for select to authenticated
  using (user_id = (select private.caller_id()) or (select private.caller_is('ADMIN')));

drop policy if exists own_or_admin on public.user_role;
create policy own_or_admin on public.user_role for select to authenticated
  using (user_id = (select private.caller_id()) or (select private.caller_is('ADMIN')));
