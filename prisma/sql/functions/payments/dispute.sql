-- Disputes as Stripe last said they are, and what we answer. An inquiry has taken no money; a chargeback has, until it is won.

create or replace function private.dispute_json(d private.dispute) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', d.id, 'payment_id', d.payment_id, 'session_id', p.session_id, 'coach_id', p.coach_id, 'mentee_id', p.mentee_id,
    'kind', d.kind, 'status', d.status, 'reason', d.reason, 'amount', private.money(d.amount, d.currency), 'due_by', d.due_by,
    'needs_response', private.needs_response(d, private.now()), 'evidence_submitted_at', d.evidence_submitted_at,
    'opened_at', d.opened_at, 'closed_at', d.closed_at, 'version', d.version)
  from (select 1) one left join private.payment p on p.id = d.payment_id;
$$;

-- Whether a session's payment is disputed and nothing is decided, inquiries included.
create or replace function private.is_disputed(session_id uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (
    select 1 from private.payment p join private.dispute d on d.payment_id = p.id
    where p.session_id = is_disputed.session_id and d.closed_at is null);
$$;

create or replace function private.needs_response(d private.dispute, at timestamptz) returns boolean
language sql immutable set search_path = '' as $$
  select d.closed_at is null and d.status in ('NEEDS_RESPONSE', 'WARNING_NEEDS_RESPONSE') and (d.due_by is null or d.due_by > at);
$$;

-- Everyone's for an ADMIN, a coach's own for him: those about his sessions. The next deadline is found by status and due_by in the rows.
create or replace function public.list_disputes(
  open_only boolean default false, after_at timestamptz default null, after_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('dispute:read');
  everything boolean := private.caller_is('ADMIN');
begin
  return (
    select coalesce(jsonb_agg(private.dispute_json(page.d) order by page.opened_at desc, page.id desc), '[]')
    from (
      select d, d.opened_at, d.id from private.dispute d
      where (everything or exists (select 1 from private.payment p where p.id = d.payment_id and p.coach_id = caller))
        and (not open_only or d.closed_at is null)
        and (after_id is null or (d.opened_at, d.id) < (after_at, after_id))
      order by d.opened_at desc, d.id desc limit least(page_size, 101)) page);
end $$;

create or replace function private.visible_dispute(dispute_id uuid, caller uuid) returns private.dispute
language plpgsql stable security definer set search_path = '' as $$
declare
  wanted private.dispute;
begin
  select * into wanted from private.dispute d where d.id = dispute_id
    and (private.caller_is('ADMIN') or exists (select 1 from private.payment p where p.id = d.payment_id and p.coach_id = caller));
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such dispute.');
  end if;
  return wanted;
end $$;

-- With the draft of our answer, and what we know of the session that speaks in it.
create or replace function private.dispute_detail(d private.dispute) returns jsonb
language sql stable security definer set search_path = '' as $$
  select private.dispute_json(d) || jsonb_build_object('evidence', d.evidence, 'session', (
    select jsonb_build_object(
      'status', s.status, 'start', s.starts_at, 'end', s.ends_at, 'price', private.money(s.price_amount, s.currency), 'booked_at', s.created_at,
      'coach_came', private.meeting_attendance(s.id) -> 'coach', 'mentee_came', private.meeting_attendance(s.id) -> 'mentee',
      'refunded', private.money(p.refunded_amount, p.currency))
    from private.payment p join public.session s on s.id = p.session_id where p.id = d.payment_id));
$$;

create or replace function public.get_dispute(dispute_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('dispute:read');
begin
  return private.dispute_detail(private.visible_dispute(dispute_id, caller));
end $$;

-- The draft, which the coach may write as well: he was there. Submitting it is once and for all, and an ADMIN's.
create or replace function public.save_dispute_evidence(dispute_id uuid, evidence jsonb, submit boolean, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('dispute:respond');
  answer jsonb := private.begin_idempotent();
  mine private.dispute;
  command jsonb;
begin
  if answer is not null then
    return answer;
  end if;
  mine := private.visible_dispute(dispute_id, caller);
  select * into mine from private.dispute d where d.id = dispute_id for update;
  perform private.require_version(mine.version, expected_version);
  answer := case
    when submit and not private.caller_is('ADMIN') then private.refused(403, 'forbidden', 'An ADMIN submits the evidence; what you have written is kept when you save it as a draft.')
    when mine.closed_at is not null then private.refused(409, 'dispute_closed', format('This dispute is %s.', lower(mine.status)))
    when mine.evidence_submitted_at is not null then private.refused(409, 'evidence_submitted', 'The evidence has been submitted; the bank decides on it.')
    when not private.needs_response(mine, private.now()) then
      private.refused(409, 'dispute_deadline_passed', 'The time for an answer is over.')
    when submit and jsonb_strip_nulls(mine.evidence || evidence) = '{}' then
      private.refused(422, 'validation_failed', 'There is nothing to submit.', '{"errors": [{"pointer": "#/evidence", "detail": "Say something in at least one field"}]}') end;
  if answer is not null then
    return private.end_idempotent(answer);
  end if;
  update private.dispute d set evidence = jsonb_strip_nulls(d.evidence || evidence) where d.id = mine.id returning * into mine;
  if submit then
    command := private.start_command('dispute.submit', caller, mine.id, jsonb_build_object('dispute', mine.stripe_dispute_id, 'evidence', mine.evidence));
  end if;
  return private.end_idempotent(private.answer(200, jsonb_build_object('dispute', private.dispute_detail(mine), 'command', command)));
end $$;

create or replace function private.tell_of_dispute(d private.dispute, type text, more jsonb default '{}') returns void
language sql volatile security definer set search_path = '' as $$
  select private.emit(type, jsonb_strip_nulls(jsonb_build_object(
    'disputeId', d.id, 'paymentId', d.payment_id, 'sessionId', p.session_id, 'coachId', p.coach_id, 'menteeId', p.mentee_id, 'disputeKind', d.kind, 'disputeStatus', d.status,
    'disputeReason', d.reason, 'amount', private.money(d.amount, d.currency), 'dueBy', d.due_by)) || more)
  from (select 1) one left join private.payment p on p.id = d.payment_id;
$$;

-- Three days and one day before the time for an answer is over, each once for each deadline.
create or replace function public.notice_dispute_deadlines(now_at timestamptz) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  d private.dispute;
  given integer := 0;
  step text;
begin
  perform private.require_service();
  for d in select * from private.dispute f where private.needs_response(f, now_at) and f.due_by <= now_at + interval '3 days' order by f.due_by loop
    step := case when d.due_by <= now_at + interval '1 day' then '1d' else '3d' end;
    insert into private.billing_notice (kind, object_id, step, given_at)
    values ('dispute_due', d.stripe_dispute_id, concat(step, ' ', d.due_by at time zone 'UTC'), now_at) on conflict do nothing;
    if found then
      perform private.tell_of_dispute(d, 'DisputeDeadlineNear', jsonb_build_object('kind', step));
      given := given + 1;
    end if;
  end loop;
  return private.answer(200, jsonb_build_object('given', given));
end $$;

-- The bank has decided against us: the coach's share goes back to the platform, from which the bank took the money. Never a refund: the payer has
-- it already. Whether the coach bears this is a setting; the fee for the dispute is the platform's.
create or replace function private.take_back_lost(d private.dispute, p private.payment) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  left_there bigint := p.charge_amount - (private.refund_totals(p)).taken;
begin
  if private.setting('dispute_loss_bearer', '"COACH"') #>> '{}' = 'COACH' and p.stripe_account_id is not null and least(d.amount, left_there) > 0 then
    insert into private.transfer_reversal (payment_id, dispute_id, top_up, amount, currency, created_at)
    values (p.id, d.id, false, least(d.amount, left_there), p.currency, private.now()) on conflict do nothing;
    perform private.start_reversals(p.id);
  end if;
end $$;
