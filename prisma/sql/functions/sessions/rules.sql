-- Who may do what with a session, and when: the one table of it (DOMAIN D). private.move_session holds every change to it,
-- docs/sessions.md shows it, and tests/integration/sessions/test_rules.py tries every cell.
-- Phases: EARLY until 24 hours before the start, that instant included; LATE until the start; OPENING its first 10 minutes, in which nobody
-- is absent yet; DURING until the end; GRACE for 30 minutes after it, as long as its join link works; AFTER from then on.
create or replace function private.session_phase(starts_at timestamptz, ends_at timestamptz, at timestamptz) returns text
language sql stable set search_path = '' as $$
  select case
    when at <= starts_at - interval '24 hours' then 'EARLY'
    when at < starts_at then 'LATE'
    when at < least(starts_at + interval '10 minutes', ends_at) then 'OPENING'
    when at < ends_at then 'DURING'
    when at < ends_at + interval '30 minutes' then 'GRACE'
    else 'AFTER' end;
$$;

create or replace function private.session_rules()
returns table (action text, from_status text[], to_status text, actors text[], phases text[])
language sql immutable set search_path = '' as $$
  values
    ('confirm', '{PENDING_PAYMENT,EXPIRED}'::text[], 'SCHEDULED', '{SYSTEM}'::text[], '{EARLY,LATE,OPENING,DURING}'::text[]),
    ('expire', '{PENDING_PAYMENT}', 'EXPIRED', '{SYSTEM}', '{EARLY,LATE,OPENING,DURING,GRACE,AFTER}'),
    ('reschedule', '{SCHEDULED}', 'SCHEDULED', '{MENTEE}', '{EARLY}'),
    ('reschedule', '{SCHEDULED}', 'SCHEDULED', '{COACH,ADMIN}', '{EARLY,LATE}'),
    ('cancel', '{PENDING_PAYMENT,SCHEDULED}', 'CANCELLED', '{MENTEE,COACH,SYSTEM}', '{EARLY,LATE}'),
    ('cancel', '{PENDING_PAYMENT,SCHEDULED}', 'CANCELLED', '{ADMIN}', '{EARLY,LATE,OPENING,DURING,GRACE,AFTER}'),
    ('start', '{SCHEDULED}', 'IN_PROGRESS', '{SYSTEM}', '{OPENING,DURING}'),
    ('complete', '{SCHEDULED,IN_PROGRESS}', 'COMPLETED', '{COACH,ADMIN,SYSTEM}', '{GRACE,AFTER}'),
    ('mentee_no_show', '{SCHEDULED,IN_PROGRESS}', 'NO_SHOW', '{MENTEE,COACH,ADMIN}', '{DURING,GRACE,AFTER}'),
    ('coach_no_show', '{SCHEDULED,IN_PROGRESS}', 'NO_SHOW', '{MENTEE,COACH,ADMIN}', '{DURING,GRACE,AFTER}'),
    ('mentee_no_show', '{SCHEDULED,IN_PROGRESS}', 'NO_SHOW', '{SYSTEM}', '{GRACE,AFTER}'),
    ('coach_no_show', '{SCHEDULED,IN_PROGRESS}', 'NO_SHOW', '{SYSTEM}', '{GRACE,AFTER}');
$$;

-- Why not, as an answer; null when the table allows it.
create or replace function private.session_refusal(s public.session, wanted text, actor public.session_actor, at timestamptz) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  phase text := private.session_phase(s.starts_at, s.ends_at, at);
  done text := case wanted when 'reschedule' then 'moved' when 'cancel' then 'cancelled' when 'complete' then 'completed'
                           when 'confirm' then 'confirmed' when 'expire' then 'expired' when 'start' then 'started' else 'marked as missed' end;
  stands boolean;
  mine boolean;
  now_allowed boolean;
begin
  select coalesce(bool_or(s.status::text = any (r.from_status)), false),
         coalesce(bool_or(s.status::text = any (r.from_status) and actor::text = any (r.actors)), false),
         coalesce(bool_or(s.status::text = any (r.from_status) and actor::text = any (r.actors) and phase = any (r.phases)), false)
  into stands, mine, now_allowed from private.session_rules() r where r.action = wanted;
  return case
    when now_allowed then null
    when not stands then private.refused(409, 'invalid_transition', format('A session that is %s cannot be %s.', s.status, done))
    when not mine then private.refused(403, 'forbidden', format('Only others may say that a session is %s.', done))
    when wanted in ('cancel', 'reschedule') and phase <> 'LATE' then
      private.refused(409, 'session_started', format('The session has begun. It can no longer be %s.', done))
    when wanted = 'reschedule' then
      private.refused(409, 'reschedule_too_late', 'A mentee can move a session until 24 hours before it starts. Ask the coach to move it.')
    when wanted = 'complete' then private.refused(409, 'too_early', 'A session can be completed once its time is over.')
    when wanted like '%no_show' and phase in ('EARLY', 'LATE', 'OPENING') then
      private.refused(409, 'too_early', 'Nobody counts as absent before 10 minutes after the start.')
    else private.refused(409, 'invalid_transition', format('This is not the time at which a session is %s.', done)) end;
end $$;

-- What of the price a cancellation gives back: everything, except to a mentee who cancels less than 24 hours before the start.
-- A hold that was never paid gives back whatever still arrives.
create or replace function private.refund_percent(actor public.session_actor, before public.session_status, starts_at timestamptz, at timestamptz)
returns integer
language sql stable set search_path = '' as $$
  select case when actor = 'MENTEE' and before <> 'PENDING_PAYMENT' and at > starts_at - interval '24 hours' then 0 else 100 end;
$$;

-- How a session that is over has ended when nobody has said: by who was in its meeting, where that is known (docs/adr/050). No mentee gets into
-- a meeting that its coach has not opened, so an empty one is the coach's absence.
create or replace function private.session_outcome(s public.session, out to_status public.session_status, out no_show_by public.session_actor, out reason text)
language plpgsql stable set search_path = '' as $$
declare
  came jsonb := private.meeting_attendance(s.id);
begin
  no_show_by := case when not (came -> 'coach')::boolean then 'COACH' when not (came -> 'mentee')::boolean then 'MENTEE' end;
  to_status := case when no_show_by is null then 'COMPLETED' else 'NO_SHOW' end;
  reason := case
    when came is null then 'Its time was over and nobody had reported an absence.'
    when no_show_by is null then 'Its time was over, and Zoom reports that both had come.'
    when no_show_by = 'MENTEE' then 'Zoom reports that the mentee did not come.'
    when (came -> 'mentee')::boolean then 'Zoom reports that the coach did not come.'
    else 'Zoom reports that nobody came, and only the coach can open the meeting.' end;
end $$;
