drop policy if exists participant_or_admin on public.session;
create policy participant_or_admin on public.session for select to authenticated
  using ((select private.caller_id()) in (coach_id, mentee_id) or (select private.caller_is('ADMIN')));

-- Sees the sessions its reader sees: the sub-select runs under that table's own policy.
drop policy if exists participant_or_admin on public.session_transition;
create policy participant_or_admin on public.session_transition for select to authenticated
  using (exists (select 1 from public.session s where s.id = session_id));

drop policy if exists participant_or_admin on public.review;
create policy participant_or_admin on public.review for select to authenticated
  using ((select private.caller_id()) in (coach_id, mentee_id) or (select private.caller_is('ADMIN')));
