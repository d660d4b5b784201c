create or replace function private.progress_json(p public.goal_progress) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('id', p.id, 'goal_id', p.goal_id, 'amount', p.amount, 'occurred_at', p.occurred_at, 'note', p.note,
    'source', case when p.source_id is null then 'MANUAL' else 'AUTOMATIC' end, 'source_id', p.source_id, 'created_at', p.created_at);
$$;

-- Of whoever may see the goal: latest first; keyset on (occurred_at, id).
create or replace function public.list_goal_progress(
  goal_id uuid, before_at timestamptz default null, before_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('goal:read');
  wanted public.goal := private.visible_goal(goal_id, caller);
begin
  return (
    select coalesce(jsonb_agg(private.progress_json(page.it) order by page.occurred_at desc, page.id desc), '[]')
    from (
      select p as it, p.occurred_at, p.id from public.goal_progress p
      where p.goal_id = wanted.id and (before_id is null or (p.occurred_at, p.id) < (before_at, before_id))
      order by p.occurred_at desc, p.id desc limit least(page_size, 101)) page);
end $$;

-- An entry of the owner's, dated within the goal's period and not in the future; the goal follows in the same transaction.
create or replace function public.add_goal_progress(goal_id uuid, input jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('goal:manage');
  answer jsonb := private.begin_idempotent();
  moment timestamptz := private.now();
  amount numeric;
  dated timestamptz;
  g public.goal;
  made public.goal_progress;
  fault text;
begin
  if answer is not null then
    return answer;
  end if;
  perform private.require_keys(input, array['amount', 'occurred_at', 'note']);
  amount := input ->> 'amount';
  dated := coalesce((input ->> 'occurred_at')::timestamptz, moment);
  g := private.own_goal(goal_id, caller);
  if g.source = 'AUTOMATIC' then
    return private.end_idempotent(private.refused(409, 'goal_is_automatic', 'This goal is counted for you: its entries come from your sessions and reviews.'));
  end if;
  fault := case
    when dated > moment then 'Must not be in the future'
    when dated < g.starts_at then format('Must not be before %s, when the goal begins, in %s', g.starts_on, g.timezone)
    when dated >= g.due_at then format('Must not be after %s, the deadline, in %s', g.deadline, g.timezone) end;
  if fault is not null then
    return private.end_idempotent(private.refused(422, 'validation_failed', 'The entry does not lie within the goal''s period so far.',
      jsonb_build_object('errors', jsonb_build_array(jsonb_build_object('pointer', '#/occurredAt', 'detail', fault)))));
  end if;
  if g.counting = 'TOTAL' and abs(g.value + amount) > 1e15 then
    return private.end_idempotent(private.refused(422, 'validation_failed', 'The goal''s value would be too large.',
      jsonb_build_object('errors', jsonb_build_array(jsonb_build_object('pointer', '#/amount', 'detail', 'Makes the value exceed 10^15')))));
  end if;
  insert into public.goal_progress as p (goal_id, amount, occurred_at, note, recorded_by, created_at)
  values (g.id, amount, dated, input ->> 'note', caller, moment) returning p.* into made;
  g := private.settle_goal(g.id, moment);
  return private.end_idempotent(private.answer(201, private.progress_json(made) || jsonb_build_object(
    'value', g.value, 'percent', private.goal_percent(g.start_value, g.value, g.target_value), 'status', g.status)));
end $$;

-- What time does to goals: reminders, and deadlines that were missed. A batch is a transaction, each goal is looked at again once it is locked.
create or replace function private.goal_task_due(g public.goal, at timestamptz) returns text
language sql stable security definer set search_path = '' as $$
  select case
    when g.status <> 'ACTIVE' or g.deleted_at is not null then null
    when g.due_at <= at then 'overdue'
    else (select 'reminded_' || r.days from private.goal_reminder(g.deadline, g.timezone, g.due_at, g.deadline_set_at, at) r (days)
          where r.days is not null and not exists (
            select 1 from public.goal_event e where e.goal_id = g.id and e.kind = 'REMINDED' and e.key = format('%s %s', g.deadline, r.days))) end;
$$;

create or replace function private.advance_goal(goal_id uuid, at timestamptz) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  g public.goal;
  task text;
  days integer;
begin
  select * into g from public.goal f where f.id = goal_id for update;
  task := private.goal_task_due(g, at);
  if task = 'overdue' then
    perform private.settle_goal(g.id, at);
  elsif task is not null then
    days := private.goal_reminder(g.deadline, g.timezone, g.due_at, g.deadline_set_at, at);
    if private.note_goal(g, 'REMINDED', format('%s %s', g.deadline, days), jsonb_build_object('days', days, 'deadline', g.deadline), at) then
      perform private.emit_goal(g, 'GoalReminderDue', jsonb_build_object('days', days));
    end if;
  end if;
  return task;
end $$;

create or replace function public.advance_goals(now_at timestamptz, batch integer, after_id uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  return private.each_due('goal', 'advance_goal', array(
    select g.id from public.goal g
    where g.status = 'ACTIVE' and g.deleted_at is null and g.due_at <= now_at + interval '9 days' and private.goal_task_due(g, now_at) is not null
      and (after_id is null or g.id > after_id) order by g.id limit batch), batch, now_at);
end $$;
