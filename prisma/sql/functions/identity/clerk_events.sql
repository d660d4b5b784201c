-- Clerk's user, applied with the mark that its event is handled, in one transaction (DOMAIN A). Any order, any repetition:
-- an older update changes nothing, and a tombstone stays one.
create or replace function public.apply_clerk_user(
  event_id uuid, clerk_id text, email text, email_verified boolean, first_name text, last_name text, updated_at timestamptz) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  made uuid;
begin
  perform private.require_service();
  insert into public.user_account as u
    (clerk_id, email, email_verified, first_name, last_name, clerk_updated_at, created_at, updated_at)
  values (apply_clerk_user.clerk_id, apply_clerk_user.email, apply_clerk_user.email_verified, left(apply_clerk_user.first_name, 100),
          left(apply_clerk_user.last_name, 100), apply_clerk_user.updated_at, private.now(), private.now())
  on conflict (clerk_id) do nothing
  returning u.id into made;
  if made is not null then
    insert into public.user_role (user_id, role, granted_at) values (made, 'MENTEE', private.now());
    perform private.emit('UserCreated', jsonb_build_object('userId', made));
  else
    update public.user_account u set
      email = apply_clerk_user.email, email_verified = apply_clerk_user.email_verified,
      first_name = left(apply_clerk_user.first_name, 100), last_name = left(apply_clerk_user.last_name, 100),
      clerk_updated_at = apply_clerk_user.updated_at
    where u.clerk_id = apply_clerk_user.clerk_id and u.deleted_at is null
      and (u.clerk_updated_at is null or u.clerk_updated_at < apply_clerk_user.updated_at);
  end if;
  perform private.finish_webhook_event(event_id);
  return private.answer(200, '{}');
end $$;

-- Forgets who the user was, cancels what is ahead of him, and keeps the row as a tombstone that late events cannot revive.
create or replace function public.delete_clerk_user(event_id uuid, clerk_id text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  gone public.user_account;
  ahead record;
begin
  perform private.require_service();
  insert into public.user_account as u (clerk_id, status, deleted_at, created_at, updated_at)
  values (delete_clerk_user.clerk_id, 'INACTIVE', private.now(), private.now(), private.now())
  on conflict (clerk_id) do nothing;

  select * into gone from public.user_account u where u.clerk_id = delete_clerk_user.clerk_id for update;
  if gone.deleted_at is null then
    perform private.because('user.deleted at Clerk');
    for ahead in
      select s.id, s.coach_id = gone.id as as_coach from public.session s
      where gone.id in (s.coach_id, s.mentee_id) and s.status in ('PENDING_PAYMENT', 'SCHEDULED') and s.starts_at > private.now()
      order by s.id for update
    loop
      perform private.move_session(ahead.id, 'CANCELLED',
        (case when ahead.as_coach then 'COACH' else 'MENTEE' end)::public.session_actor, gone.id, 'The account was deleted.');
    end loop;
    update public.coach_profile p set status = 'ARCHIVED', bio = '', certifications = '{}' where p.user_id = gone.id;
    delete from public.user_role r where r.user_id = gone.id;
    update public.role_request q set
      status = case when q.status = 'REQUESTED' then 'WITHDRAWN' else q.status end,
      decided_at = coalesce(q.decided_at, private.now()), statement = '', experience = null, license_number = null, license_state = null
    where q.user_id = gone.id;
    update public.user_account u set
      email = null, email_verified = false, first_name = null, last_name = null, status = 'INACTIVE', deleted_at = private.now()
    where u.id = gone.id;
    perform private.erase_member(gone.id);
    perform private.erase_growth(gone.id);
    perform private.close_referrals(gone.id);
    perform private.erase_notifications(gone.id);
    perform private.emit('UserDeleted', jsonb_build_object('userId', gone.id));
  end if;
  perform private.finish_webhook_event(event_id);
  return private.answer(200, '{}');
end $$;
