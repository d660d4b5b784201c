create or replace function private.definition_json(d public.achievement_definition) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('id', d.id, 'code', d.code, 'title', d.title, 'description', d.description, 'type', d.type,
    'criteria', jsonb_build_object('metric', d.metric, 'operator', d.operator, 'threshold', d.threshold, 'window', d."window", 'streak', d.streak),
    'version', d.version, 'created_at', d.created_at, 'updated_at', d.updated_at);
$$;

create or replace function private.grant_json(g public.achievement_grant) returns jsonb
language sql stable security definer set search_path = '' as $$
  select to_jsonb(g) || jsonb_build_object('code', d.code, 'title', d.title) from public.achievement_definition d where d.id = g.definition_id;
$$;

-- Everything that can be achieved, by code, with how far the caller is in the current period and what he was granted; a retired one only if he was.
create or replace function public.list_achievements(target uuid default null, after_code text default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('achievement:read');
  person uuid := coalesce(target, caller);
begin
  if person <> caller and not (private.caller_is('ADMIN') and exists (select 1 from public.user_account u where u.id = person and u.deleted_at is null)) then
    perform private.refuse(404, 'not_found', 'There is no such user.');
  end if;
  return (
    with last_step as (
      select distinct on (s.definition_id, s.period) s.definition_id, s.period, s.reached
      from private.achievement_steps(array[person], true) s order by s.definition_id, s.period, s.at desc, s.reached desc
    )
    select coalesce(jsonb_agg(page.it order by page.code), '[]') from (
      select d.code, private.definition_json(d) || jsonb_build_object(
        'progress', jsonb_build_object(
          'period', private.achievement_period(d."window", private.now()), 'value', coalesce(l.reached, 0), 'target', coalesce(d.streak, d.threshold),
          'percent', private.goal_percent(0, coalesce(l.reached, 0), coalesce(d.streak, d.threshold))),
        'grants', (select coalesce(jsonb_agg(jsonb_build_object('id', g.id, 'period', g.period, 'earned_at', g.earned_at, 'granted_at', g.granted_at)
                                             order by g.period desc), '[]')
                   from public.achievement_grant g where g.user_id = person and g.definition_id = d.id and g.revoked_at is null)) as it
      from public.achievement_definition d
      left join last_step l on l.definition_id = d.id and l.period = private.achievement_period(d."window", private.now())
      where (d.retired_at is null or exists (
          select 1 from public.achievement_grant g where g.user_id = person and g.definition_id = d.id and g.revoked_at is null))
        and (after_code is null or d.code > after_code)
      order by d.code limit least(page_size, 101)) page);
end $$;

create or replace function public.list_achievement_definitions(after_code text default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_caller('achievement:read');
  return (
    select coalesce(jsonb_agg(private.definition_json(page.it) order by page.code), '[]') from (
      select d as it, d.code from public.achievement_definition d
      where d.retired_at is null and (after_code is null or d.code > after_code) order by d.code limit least(page_size, 101)) page);
end $$;

create or replace function public.get_achievement_definition(definition_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  wanted public.achievement_definition;
begin
  perform private.require_caller('achievement:read');
  select * into wanted from public.achievement_definition d where d.id = definition_id and d.retired_at is null;
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such achievement.');
  end if;
  return private.definition_json(wanted);
end $$;

create or replace function public.create_achievement_definition(input jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('achievement:manage');
  answer jsonb := private.begin_idempotent();
  made public.achievement_definition;
begin
  if answer is not null then
    return answer;
  end if;
  perform private.require_keys(input, array['code', 'title', 'description', 'type', 'metric', 'operator', 'threshold', 'window', 'streak']);
  made := jsonb_populate_record(null::public.achievement_definition, input || jsonb_build_object(
    'id', gen_random_uuid(), 'version', 1, 'created_at', private.now(), 'updated_at', private.now()));
  insert into public.achievement_definition select made.* on conflict on constraint achievement_definition_code_key do nothing;
  if not found then
    return private.end_idempotent(private.refused(409, 'code_taken', format('There is an achievement %s already, perhaps a retired one.', made.code)));
  end if;
  return private.end_idempotent(private.answer(201, private.definition_json(made)));
end $$;

create or replace function private.definition_to_change(definition_id uuid) returns public.achievement_definition
language plpgsql volatile security definer set search_path = '' as $$
declare
  wanted public.achievement_definition;
begin
  perform private.require_caller('achievement:manage');
  perform private.hold_achievement_rules(true);
  select * into wanted from public.achievement_definition d where d.id = definition_id and d.retired_at is null for update;
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such achievement.');
  end if;
  return wanted;
end $$;

-- The rule is fixed once somebody was granted by it: what was earned has to stay explicable.
create or replace function public.update_achievement_definition(definition_id uuid, patch jsonb, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  before public.achievement_definition := private.definition_to_change(definition_id);
  after public.achievement_definition;
begin
  perform private.require_keys(patch, array['title', 'description', 'type', 'metric', 'operator', 'threshold', 'window', 'streak']);
  perform private.require_version(before.version, expected_version);
  after := jsonb_populate_record(before, patch);
  if (after.metric, after.operator, after.threshold, after."window", after.streak)
       is distinct from (before.metric, before.operator, before.threshold, before."window", before.streak)
     and exists (select 1 from public.achievement_grant g where g.definition_id = before.id) then
    return private.refused(409, 'definition_in_use', 'Somebody was granted this achievement: its criteria are fixed. Retire it and make another.');
  end if;
  update public.achievement_definition d set title = after.title, description = after.description, type = after.type, metric = after.metric,
    operator = after.operator, threshold = after.threshold, "window" = after."window", streak = after.streak
  where d.id = before.id returning * into after;
  return private.answer(200, private.definition_json(after));
end $$;

-- Nobody is granted it any more; who was, keeps it.
create or replace function public.retire_achievement_definition(definition_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  wanted public.achievement_definition := private.definition_to_change(definition_id);
begin
  update public.achievement_definition d set retired_at = private.now() where d.id = wanted.id;
  return private.answer(204, null);
end $$;

-- By an ADMIN's hand, for the current period; one that was revoked may be given back so, and in no other way.
create or replace function public.grant_achievement(target uuid, wanted_code text, reason text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('achievement:manage');
  answer jsonb := private.begin_idempotent();
  definition public.achievement_definition;
  made public.achievement_grant;
begin
  if answer is not null then
    return answer;
  end if;
  select * into definition from public.achievement_definition d where d.code = wanted_code and d.retired_at is null for share;
  if definition.id is null or not exists (select 1 from public.user_account u where u.id = target and u.deleted_at is null) then
    perform private.refuse(404, 'not_found', 'There is no such user or achievement.');
  end if;
  perform private.because(reason);
  insert into public.achievement_grant as g (user_id, definition_id, period, earned_at, granted_at, granted_by, reason)
  values (target, definition.id, private.achievement_period(definition."window", private.now()), private.now(), private.now(), caller, reason)
  on conflict on constraint achievement_grant_once do update
    set granted_at = excluded.granted_at, granted_by = excluded.granted_by, reason = excluded.reason, revoked_at = null, revoked_by = null, revoke_reason = null
    where g.revoked_at is not null
  returning g.* into made;
  if made.id is null then
    return private.end_idempotent(private.refused(409, 'already_granted', 'This person has this achievement already.'));
  end if;
  perform private.emit_achievement('AchievementGranted', made);
  return private.end_idempotent(private.answer(201, private.grant_json(made)));
end $$;

create or replace function public.revoke_achievement(grant_id uuid, reason text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('achievement:manage');
  revoked public.achievement_grant;
begin
  perform private.because(reason);
  update public.achievement_grant g set revoked_at = private.now(), revoked_by = caller, revoke_reason = reason
  where g.id = grant_id and g.revoked_at is null returning g.* into revoked;
  if revoked.id is null then
    perform private.refuse(404, 'not_found', 'There is no such grant, or it is revoked already.');
  end if;
  perform private.emit_achievement('AchievementRevoked', revoked);
  return private.answer(204, null);
end $$;
