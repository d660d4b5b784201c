-- The caller's choices; version 0 as long as he has made none.
create or replace function public.get_notification_preferences() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('notification:read');
begin
  return coalesce(
    (select jsonb_build_object('choices', p.choices, 'version', p.version) from public.notification_preference p where p.user_id = caller),
    jsonb_build_object('choices', '{}'::jsonb, 'version', 0));
end $$;

-- Replaces them. The account's row is the lock, so that two first ones at once are told apart.
create or replace function public.save_notification_preferences(choices jsonb, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('notification:update');
  current integer;
begin
  if jsonb_typeof(choices) <> 'object' or length(choices::text) > 10000 then
    perform private.refuse(422, 'validation_failed', 'Choices are an object by type and channel.');
  end if;
  perform 1 from public.user_account u where u.id = caller for no key update;
  select p.version into current from public.notification_preference p where p.user_id = caller;
  perform private.require_version(coalesce(current, 0), expected_version);
  insert into public.notification_preference as p (user_id, choices, created_at, updated_at)
  values (caller, choices, private.now(), private.now())
  on conflict (user_id) do update set choices = excluded.choices, version = p.version + 1, updated_at = private.now();
  return private.answer(200, public.get_notification_preferences());
end $$;
