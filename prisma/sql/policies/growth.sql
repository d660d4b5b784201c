-- The owner, ADMINs, and for what is shared the coaches with whom the owner has or had a session.
drop policy if exists owner_coach_or_admin on public.goal;
create policy owner_coach_or_admin on public.goal for select to authenticated
  using (deleted_at is null and (user_id = (select private.caller_id()) or (select private.caller_is('ADMIN')) or (shared and exists (
    select 1 from public.session s where s.coach_id = (select private.caller_id()) and s.mentee_id = goal.user_id
    and s.status in ('SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'NO_SHOW')))));

-- See the goals their reader sees: the sub-select runs under that table's own policy.
drop policy if exists as_the_goal on public.goal_progress;
create policy as_the_goal on public.goal_progress for select to authenticated
  using (exists (select 1 from public.goal g where g.id = goal_id));

drop policy if exists as_the_goal on public.goal_event;
create policy as_the_goal on public.goal_event for select to authenticated
  using (exists (select 1 from public.goal g where g.id = goal_id));

drop policy if exists self_or_admin on public.credit_account;
create policy self_or_admin on public.credit_account for select to authenticated
  using (user_id = (select private.caller_id()) or (select private.caller_is('ADMIN')));

drop policy if exists self_or_admin on public.credit_entry;
create policy self_or_admin on public.credit_entry for select to authenticated
  using (user_id = (select private.caller_id()) or (select private.caller_is('ADMIN')));

-- What can be achieved is everybody's to know; who has achieved it, his own.
drop policy if exists everyone on public.achievement_definition;
create policy everyone on public.achievement_definition for select to authenticated using (true);

drop policy if exists self_or_admin on public.achievement_grant;
create policy self_or_admin on public.achievement_grant for select to authenticated
  using (user_id = (select private.caller_id()) or (select private.caller_is('ADMIN')));
