-- The three jobs that time drives (functions/private/each_due.sql). Each call is one batch and one transaction: what is due by id after
-- `after_id`, under the locks that a person's own change would take, people first and in order (docs/adr/002), each session looked at again once
-- it is locked, so that a run that was killed, or two at once, do nothing twice.
-- What is due is found first (materialized) and ordered then: asked for the first of them by id, Postgres walks every session that ever was.
create or replace function private.each_session(task text, ids uuid[], batch integer, at timestamptz) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform 1 from public.user_account u
  where u.id in (select unnest(array[s.coach_id, s.mentee_id]) from public.session s where s.id = any (ids)) order by u.id for no key update;
  return private.each_due('session', task, ids, batch, at);
end $$;

create or replace function private.expire_hold(session_id uuid, at timestamptz) returns text
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform 1 from public.session s
  where s.id = session_id and s.status = 'PENDING_PAYMENT' and s.hold_expires_at <= at for update;
  if not found then
    return null;
  end if;
  perform private.move_session(session_id, 'EXPIRED', 'SYSTEM', null, 'The hold ran out.', at => expire_hold.at);
  return 'expired';
end $$;

create or replace function public.expire_session_holds(now_at timestamptz, batch integer, after_id uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  return private.each_session('expire_hold', array(
    with due as materialized (
      select s.id from public.session s where s.status = 'PENDING_PAYMENT' and s.hold_expires_at <= now_at
    )
    select d.id from due d where after_id is null or d.id > after_id order by d.id limit batch), batch, now_at);
end $$;

-- Begins a session whose time has come; ends one whose time is over, and so are the half hour in which its people may say that somebody was
-- absent and the wait for Zoom's report.
create or replace function private.advance_session(session_id uuid, at timestamptz) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  s public.session;
  outcome record;
begin
  select * into s from public.session f where f.id = session_id and f.status in ('SCHEDULED', 'IN_PROGRESS') for update;
  if s.id is null then
    return null;
  end if;
  case private.session_phase(s.starts_at, s.ends_at, at)
    when 'OPENING', 'DURING' then
      if s.status <> 'SCHEDULED' then
        return null;
      end if;
      perform private.move_session(s.id, 'IN_PROGRESS', 'SYSTEM', null, null, at => advance_session.at);
      return 'started';
    when 'AFTER' then
      if private.awaits_attendance(s, at) then
        return null;
      end if;
      outcome := private.session_outcome(s);
      perform private.move_session(s.id, outcome.to_status, 'SYSTEM', null, outcome.reason, no_show_by => outcome.no_show_by, at => advance_session.at);
      return lower(outcome.to_status::text);
    else return null;
  end case;
end $$;

create or replace function public.advance_sessions(now_at timestamptz, batch integer, after_id uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  return private.each_session('advance_session', array(
    with begun as materialized (
      select s as one from public.session s where s.status = 'SCHEDULED' and s.starts_at <= now_at
      union all
      select s from public.session s where s.status = 'IN_PROGRESS' and s.ends_at <= now_at - interval '30 minutes'
    )
    select (b.one).id from begun b
    where (((b.one).status = 'SCHEDULED' and (b.one).ends_at > now_at)
        or ((b.one).ends_at <= now_at - interval '30 minutes' and not private.awaits_attendance(b.one, now_at)))
      and (after_id is null or (b.one).id > after_id) order by 1 limit batch), batch, now_at);
end $$;

-- Which reminder is due: none to someone who booked or moved the session when its moment had passed already.
create or replace function private.reminder_due(s public.session, at timestamptz) returns text
language sql stable security definer set search_path = '' as $$
  select k.kind from (values ('1h', interval '1 hour', interval '0'), ('24h', interval '24 hours', interval '1 hour')) k (kind, ahead, until)
  where s.status = 'SCHEDULED' and at >= s.starts_at - k.ahead and at < s.starts_at - k.until
    and coalesce(s.rescheduled_at, s.created_at) <= s.starts_at - k.ahead
    and not exists (select 1 from private.session_reminder r where r.session_id = s.id and r.kind = k.kind and r.edition = s.rescheduled_count);
$$;

create or replace function private.send_reminder(session_id uuid, at timestamptz) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  s public.session;
  due text;
begin
  select * into s from public.session f where f.id = session_id for update;
  due := private.reminder_due(s, at);
  if due is null then
    return null;
  end if;
  insert into private.session_reminder (session_id, kind, edition, sent_at) values (s.id, due, s.rescheduled_count, at);
  perform private.emit_session(s, 'SYSTEM', 'SessionReminderDue', jsonb_build_object('kind', due));
  return 'reminded_' || due;
end $$;

create or replace function public.send_session_reminders(now_at timestamptz, batch integer, after_id uuid default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  return private.each_session('send_reminder', array(
    with due as materialized (
      select s.id from public.session s
      where s.status = 'SCHEDULED' and s.starts_at > now_at and s.starts_at <= now_at + interval '24 hours'
        and private.reminder_due(s, now_at) is not null
    )
    select d.id from due d where after_id is null or d.id > after_id order by d.id limit batch), batch, now_at);
end $$;
