-- Goals as people make and change them. A goal's value and status are written by private.settle_goal alone.
create or replace function private.goal_json(g public.goal) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', g.id, 'user_id', g.user_id, 'user_name', private.display_name(g.user_id), 'type', g.type, 'title', g.title, 'description', g.description,
    'unit', g.unit, 'direction', g.direction, 'counting', g.counting, 'source', g.source,
    'start_value', g.start_value, 'target_value', g.target_value, 'value', g.value,
    'percent', private.goal_percent(g.start_value, g.value, g.target_value),
    'milestones', (select coalesce(jsonb_agg(jsonb_build_object('value', m, 'reached_at', e.occurred_at) order by n), '[]')
                   from unnest(g.milestones) with ordinality l (m, n)
                   left join public.goal_event e on e.goal_id = g.id and e.kind = 'MILESTONE' and e.key = m::text),
    'starts_on', g.starts_on, 'deadline', g.deadline, 'timezone', g.timezone, 'due_at', g.due_at, 'shared', g.shared,
    'status', private.goal_status(g.direction, g.value, g.target_value, g.due_at, private.now()),
    'completed_at', g.completed_at, 'version', g.version, 'created_at', g.created_at, 'updated_at', g.updated_at);
$$;

-- With what happened to it, latest first.
create or replace function private.goal_with_history(g public.goal) returns jsonb
language sql stable security definer set search_path = '' as $$
  select private.goal_json(g) || jsonb_build_object('history', coalesce(
    (select jsonb_agg(jsonb_build_object('kind', e.kind, 'details', e.details, 'occurred_at', e.occurred_at) order by e.id desc)
     from (select * from public.goal_event e where e.goal_id = g.id order by e.id desc limit 100) e), '[]'));
$$;

-- The owner's; a coach's with whom the owner has or had a session, if it is shared; an ADMIN's.
create or replace function private.may_see_goal(g public.goal, caller uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  select g.deleted_at is null and (g.user_id = caller or private.caller_is('ADMIN') or (g.shared and private.coaches(caller, g.user_id)));
$$;

create or replace function private.coaches(coach uuid, mentee uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select 1 from public.session s where s.coach_id = coach and s.mentee_id = mentee
                 and s.status in ('SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'NO_SHOW'));
$$;

create or replace function private.visible_goal(goal_id uuid, caller uuid) returns public.goal
language plpgsql stable security definer set search_path = '' as $$
declare
  wanted public.goal;
begin
  select * into wanted from public.goal g where g.id = goal_id;
  if wanted.id is null or not private.may_see_goal(wanted, caller) then
    perform private.refuse(404, 'not_found', 'There is no such goal.');
  end if;
  return wanted;
end $$;

-- The caller's own goal, held until the end of the transaction.
create or replace function private.own_goal(goal_id uuid, caller uuid) returns public.goal
language plpgsql volatile security definer set search_path = '' as $$
declare
  wanted public.goal;
begin
  select * into wanted from public.goal g where g.id = goal_id and g.user_id = caller and g.deleted_at is null for update;
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such goal of yours.');
  end if;
  return wanted;
end $$;

create or replace function private.emit_goal(g public.goal, type text, more jsonb default '{}') returns void
language sql volatile security definer set search_path = '' as $$
  select private.emit(type, jsonb_build_object(
    'goalId', g.id, 'userId', g.user_id, 'type', g.type, 'title', g.title, 'value', g.value, 'target', g.target_value, 'unit', g.unit,
    'deadline', g.deadline) || more);
$$;

-- Tells the coaches who may see a goal from now on, once for each goal, and without its title: what is in it is to be read where it can be deleted.
create or replace function private.tell_of_sharing(g public.goal) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  coaches uuid[] := array(select distinct s.coach_id from public.session s where s.mentee_id = g.user_id and private.coaches(s.coach_id, s.mentee_id));
begin
  if g.shared and cardinality(coaches) > 0 and private.note_goal(g, 'SHARED', 'shared', '{}', private.now()) then
    perform private.emit('GoalShared', jsonb_build_object('goalId', g.id, 'userId', g.user_id, 'coachIds', coaches));
  end if;
end $$;

-- Makes value and status follow from the entries and the moment, and tells what came of it: each milestone and each missed deadline once.
create or replace function private.settle_goal(goal_id uuid, at timestamptz) returns public.goal
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  g public.goal;
  before public.goal_status;
  mark numeric;
begin
  select * into g from public.goal f where f.id = goal_id for update;
  before := g.status;
  g.value := case g.counting
    when 'TOTAL' then g.start_value + coalesce((select sum(p.amount) from public.goal_progress p where p.goal_id = goal_id), 0)
    else coalesce((select p.amount from public.goal_progress p where p.goal_id = goal_id order by p.occurred_at desc, p.created_at desc, p.id desc limit 1),
                  g.start_value) end;
  g.status := private.goal_status(g.direction, g.value, g.target_value, g.due_at, at);
  update public.goal f set value = g.value, status = g.status,
    completed_at = case when g.status = 'COMPLETED' then coalesce(f.completed_at, at) end,
    first_completed_at = coalesce(f.first_completed_at, case when g.status = 'COMPLETED' then at end)
  where f.id = goal_id and (f.value, f.status) is distinct from (g.value, g.status) returning f.* into g;
  if not found then
    select * into g from public.goal f where f.id = goal_id;
  end if;
  foreach mark in array g.milestones loop
    if private.goal_reached(g.direction, g.value, mark) and private.note_goal(g, 'MILESTONE', mark::text, jsonb_build_object('value', mark), at) then
      perform private.emit_goal(g, 'GoalMilestoneReached', jsonb_build_object('milestone', mark));
    end if;
  end loop;
  if g.status = 'COMPLETED' and before <> 'COMPLETED' then
    perform private.note_goal(g, 'COMPLETED', null, jsonb_build_object('value', g.value), at);
    perform private.emit_goal(g, 'GoalCompleted');
  elsif before = 'COMPLETED' and g.status <> 'COMPLETED' then
    perform private.note_goal(g, 'REOPENED', null, jsonb_build_object('value', g.value), at);
    perform private.emit_goal(g, 'GoalReopened');
  end if;
  if g.status = 'OVERDUE' and private.note_goal(g, 'OVERDUE', g.deadline::text, jsonb_build_object('deadline', g.deadline), at) then
    perform private.emit_goal(g, 'GoalOverdue');
  end if;
  return g;
end $$;

-- Writes down what happened; whether it is new.
create or replace function private.note_goal(g public.goal, kind public.goal_event_kind, key text, details jsonb, at timestamptz) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into public.goal_event (goal_id, kind, key, details, occurred_at) values (g.id, note_goal.kind, note_goal.key, note_goal.details, at)
  on conflict do nothing;
  return found;
end $$;

-- Adds what our own events have counted in an automatic goal's period and it has not yet: sessions and hours that ended then, given or taken,
-- and reviews that were received then. An entry for each session or review, once. The entries of HOURS add up to all of the minutes, rounded once:
-- each of fifty minutes is 0.83 or 0.84 hours, and twelve of them are ten. Whoever calls this holds the goal.
create or replace function private.count_for_goal(g public.goal) returns void
language sql volatile security definer set search_path = '' as $$
  insert into public.goal_progress (goal_id, amount, occurred_at, source_id, created_at)
  select g.id, case g.type when 'HOURS' then s.hours - coalesce(lag(s.hours) over (order by s.ends_at, s.id), s.counted) else 1 end,
         s.ends_at, s.id, private.now()
  from (
    select n.*, round((p.minutes + sum(n.duration_minutes) over (order by n.ends_at, n.id)) / 60.0, 2) as hours, p.counted
    from public.session n, (
      select coalesce(sum(c.duration_minutes), 0) as minutes, coalesce(sum(e.amount), 0) as counted
      from public.goal_progress e join public.session c on c.id = e.source_id where e.goal_id = g.id) p
    where g.source = 'AUTOMATIC' and g.type in ('SESSIONS', 'HOURS') and n.status = 'COMPLETED'
      and (n.coach_id = g.user_id or n.mentee_id = g.user_id) and n.ends_at >= g.starts_at and n.ends_at < g.due_at
      and not exists (select 1 from public.goal_progress e where e.goal_id = g.id and e.source_id = n.id)) s
  union all
  select g.id, 1, r.created_at, r.id, private.now() from public.review r
  where g.source = 'AUTOMATIC' and g.type = 'REVIEWS' and r.coach_id = g.user_id and r.created_at >= g.starts_at and r.created_at < g.due_at
  on conflict on constraint goal_progress_source_key do nothing;
$$;

create or replace function public.create_goal(input jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('goal:manage');
  answer jsonb := private.begin_idempotent();
  moment timestamptz := private.now();
  made public.goal;
  faults jsonb;
begin
  if answer is not null then
    return answer;
  end if;
  perform private.require_keys(input, array['type', 'title', 'description', 'unit', 'direction', 'counting', 'source', 'start_value', 'target_value',
                                            'milestones', 'starts_on', 'deadline', 'timezone', 'shared']);
  perform 1 from public.user_account u where u.id = caller for no key update;
  if (select count(*) from public.goal g where g.user_id = caller and g.deleted_at is null) >= 500 then
    return private.end_idempotent(private.refused(409, 'too_many_goals', 'You have 500 goals. Delete some that you no longer need.'));
  end if;
  made := jsonb_populate_record(null::public.goal, input || jsonb_build_object(
    'id', gen_random_uuid(), 'user_id', caller, 'value', input -> 'start_value', 'status', 'ACTIVE', 'version', 1,
    'timezone', coalesce(input ->> 'timezone', (select u.timezone from public.user_account u where u.id = caller)),
    'created_at', moment, 'updated_at', moment, 'deadline_set_at', moment));
  made.starts_on := coalesce(made.starts_on, least((moment at time zone made.timezone)::date, made.deadline));
  made.starts_at := private.end_of_day(made.starts_on - 1, made.timezone);
  made.due_at := private.end_of_day(made.deadline, made.timezone);
  faults := private.goal_faults(made, true);
  if faults is not null then
    return private.end_idempotent(private.refused(422, 'validation_failed', 'Such a goal is not possible.', jsonb_build_object('errors', faults)));
  end if;
  insert into public.goal select made.*;
  perform private.note_goal(made, 'CREATED', 'created', '{}', moment);
  perform private.count_for_goal(made);
  made := private.settle_goal(made.id, moment);
  perform private.tell_of_sharing(made);
  return private.end_idempotent(private.answer(201, private.goal_with_history(made)));
end $$;

create or replace function public.get_goal(goal_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('goal:read');
begin
  return private.goal_with_history(private.visible_goal(goal_id, caller));
end $$;

-- The caller's, or those of `target` that he may see: newest first; keyset on (created_at, id).
create or replace function public.list_goals(
  target uuid default null, wanted_status text default null, wanted_type text default null,
  before_at timestamptz default null, before_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('goal:read');
  owner uuid := coalesce(target, caller);
  everything boolean := owner = caller or private.caller_is('ADMIN');
begin
  if not everything and not private.coaches(caller, owner) then
    perform private.refuse(404, 'not_found', 'There is no such user, or no session of yours with him.');
  end if;
  return (
    select coalesce(jsonb_agg(private.goal_json(page.it) order by page.created_at desc, page.id desc), '[]')
    from (
      select g as it, g.created_at, g.id from public.goal g
      where g.user_id = owner and g.deleted_at is null and (everything or g.shared)
        and (wanted_status is null
             or private.goal_status(g.direction, g.value, g.target_value, g.due_at, private.now()) = wanted_status::public.goal_status)
        and (wanted_type is null or g.type = wanted_type::public.goal_type)
        and (before_id is null or (g.created_at, g.id) < (before_at, before_id))
      order by g.created_at desc, g.id desc limit least(page_size, 101)) page);
end $$;

-- A later deadline is an extension, with its reason in the history; an earlier one is refused. A new target or deadline may complete or reopen.
create or replace function public.update_goal(goal_id uuid, patch jsonb, expected_version integer, reason text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('goal:manage');
  before public.goal := private.own_goal(goal_id, caller);
  after public.goal;
  faults jsonb;
  extended boolean;
begin
  perform private.require_keys(patch, array['title', 'description', 'target_value', 'milestones', 'deadline', 'shared']);
  perform private.require_version(before.version, expected_version);
  after := jsonb_populate_record(before, patch);
  extended := after.deadline <> before.deadline;
  if after.deadline < before.deadline then
    return private.refused(422, 'validation_failed', 'A deadline can only be moved to a later date.', jsonb_build_object('errors', jsonb_build_array(
      jsonb_build_object('pointer', '#/deadline', 'detail', format('Must not be before %s', before.deadline)))));
  end if;
  if extended then
    after.due_at := private.end_of_day(after.deadline, after.timezone);
    after.deadline_set_at := private.now();
  end if;
  faults := private.goal_faults(after, extended);
  if faults is not null then
    return private.refused(422, 'validation_failed', 'Such a goal is not possible.', jsonb_build_object('errors', faults));
  end if;
  perform private.because(reason);
  update public.goal g set title = after.title, description = after.description, target_value = after.target_value, milestones = after.milestones,
    deadline = after.deadline, due_at = after.due_at, deadline_set_at = after.deadline_set_at, shared = after.shared
  where g.id = before.id returning * into after;
  if extended then
    perform private.note_goal(after, 'EXTENDED', null, jsonb_build_object('from', before.deadline, 'to', after.deadline, 'reason', reason), private.now());
    perform private.emit_goal(after, 'GoalExtended', jsonb_build_object('from', before.deadline));
    perform private.count_for_goal(after);
  end if;
  after := private.settle_goal(after.id, private.now());
  if not before.shared then
    perform private.tell_of_sharing(after);
  end if;
  return private.answer(200, private.goal_with_history(after));
end $$;

-- Out of sight at once; kept, because a goal that was completed has counted.
create or replace function public.delete_goal(goal_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  wanted public.goal := private.own_goal(goal_id, private.require_caller('goal:manage'));
begin
  update public.goal g set deleted_at = private.now() where g.id = wanted.id;
  return private.answer(204, null);
end $$;

-- Forgets a deleted user's goals, with everything said in them, and achievements.
create or replace function private.erase_growth(gone uuid) returns void
language sql volatile security definer set search_path = '' as $$
  delete from public.achievement_grant g where g.user_id = gone;
  delete from public.goal g where g.user_id = gone;
$$;
