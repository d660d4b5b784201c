create or replace function private.role_request_json(q public.role_request) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', q.id, 'user_id', q.user_id, 'user_name', private.display_name(q.user_id), 'role', q.role, 'status', q.status,
    'statement', q.statement, 'experience', q.experience, 'specialties', q.specialties, 'license_number', q.license_number,
    'license_state', q.license_state, 'decided_at', q.decided_at, 'decided_by', q.decided_by, 'decision_reason', q.decision_reason,
    'version', q.version, 'created_at', q.created_at);
$$;

create or replace function private.emit_role_request(q public.role_request) returns void
language sql volatile security definer set search_path = '' as $$
  select private.emit(
    case q.status::text when 'REQUESTED' then 'RoleRequested' when 'APPROVED' then 'RoleRequestApproved'
                        when 'REJECTED' then 'RoleRequestRejected' else 'RoleRequestWithdrawn' end,
    jsonb_build_object('roleRequestId', q.id, 'userId', q.user_id, 'role', q.role, 'decidedBy', q.decided_by, 'reason', q.decision_reason));
$$;

-- Applies for a role that the caller does not have; one open request for each role.
create or replace function public.create_role_request(input jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('role:request');
  answer jsonb := private.begin_idempotent();
  made public.role_request;
begin
  if answer is not null then
    return answer;
  end if;
  perform private.require_keys(input, array['role', 'statement', 'experience', 'specialties', 'license_number', 'license_state']);
  made := jsonb_populate_record(null::public.role_request, input || jsonb_build_object(
    'id', gen_random_uuid(), 'user_id', caller, 'status', 'REQUESTED', 'version', 1, 'created_at', private.now(), 'updated_at', private.now()));
  made.specialties := coalesce(made.specialties, '{}');
  if made.role::text = any (private.roles_of(caller)) then
    return private.end_idempotent(private.refused(409, 'role_held', format('You have the role %s already.', made.role)));
  end if;
  insert into public.role_request select made.* on conflict (user_id, role) where status = 'REQUESTED' do nothing;
  if not found then
    return private.end_idempotent(private.refused(409, 'request_open',
      format('You have asked for the role %s already. Withdraw that request, or wait for its decision.', made.role)));
  end if;
  perform private.emit_role_request(made);
  return private.end_idempotent(private.answer(201, private.role_request_json(made)));
end $$;

-- The caller's own, or everyone's for an ADMIN, newest first; keyset on (created_at, id).
create or replace function public.list_role_requests(
  wanted_status text default null, wanted_role text default null, target uuid default null,
  before_at timestamptz default null, before_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('role:request');
  admin boolean := private.caller_is('ADMIN');
begin
  perform private.require_subject(target);
  return (
    select coalesce(jsonb_agg(private.role_request_json(page.it) order by page.created_at desc, page.id desc), '[]')
    from (
      select q as it, q.created_at, q.id from public.role_request q
      where (admin or q.user_id = caller) and (target is null or q.user_id = target)
        and (wanted_status is null or q.status = wanted_status::public.role_request_status)
        and (wanted_role is null or q.role = wanted_role::public.role_name)
        and (before_id is null or (q.created_at, q.id) < (before_at, before_id))
      order by q.created_at desc, q.id desc limit least(page_size, 101)) page);
end $$;

-- The one way a request ends. The caller of this function has checked who may.
create or replace function private.end_role_request(q public.role_request, outcome public.role_request_status, decider uuid, reason text)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  ended public.role_request;
begin
  perform private.because(reason);
  update public.role_request r set status = outcome, decided_at = private.now(), decided_by = decider, decision_reason = reason
  where r.id = q.id returning * into ended;
  perform private.emit_role_request(ended);
  return private.answer(200, private.role_request_json(ended));
end $$;

-- APPROVED or REJECTED by an ADMIN who is not the applicant. Approval gives the role, and to a COACH a DRAFT profile, in this transaction.
create or replace function public.decide_role_request(request_id uuid, outcome text, reason text, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid;
  answer jsonb;
  wanted public.role_request;
begin
  perform private.lock_roles();
  caller := private.require_caller('role:decide');
  answer := private.begin_idempotent();
  if answer is not null then
    return answer;
  end if;
  select * into wanted from public.role_request q where q.id = decide_role_request.request_id for update;
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such request.');
  elsif outcome not in ('APPROVED', 'REJECTED') or (outcome = 'REJECTED' and coalesce(reason, '') !~ '\S') then
    perform private.refuse(422, 'validation_failed', 'A request is APPROVED, or REJECTED with a reason.');
  elsif wanted.user_id = caller then
    return private.end_idempotent(private.refused(409, 'own_request', 'You cannot decide your own request. Ask another ADMIN.'));
  elsif wanted.status <> 'REQUESTED' then
    return private.end_idempotent(private.refused(409, 'invalid_transition', format('This request is %s already.', wanted.status)));
  end if;
  perform private.require_version(wanted.version, expected_version);
  if outcome = 'APPROVED' then
    perform 1 from public.user_account u where u.id = wanted.user_id for update;
    perform private.change_roles(wanted.user_id, private.roles_of(wanted.user_id) || wanted.role::text,
                                 coalesce(reason, 'Request approved'), wanted.id);
    if wanted.role = 'COACH' then
      insert into public.coach_profile (user_id, specialties, created_at, updated_at)
      values (wanted.user_id, wanted.specialties, private.now(), private.now()) on conflict do nothing;
    end if;
  end if;
  return private.end_idempotent(private.end_role_request(wanted, outcome::public.role_request_status, caller, reason));
end $$;

-- By the applicant alone; to anyone else there is no such request.
create or replace function public.withdraw_role_request(request_id uuid, reason text, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('role:request');
  answer jsonb := private.begin_idempotent();
  wanted public.role_request;
begin
  if answer is not null then
    return answer;
  end if;
  select * into wanted from public.role_request q where q.id = withdraw_role_request.request_id and q.user_id = caller for update;
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such request.');
  elsif wanted.status <> 'REQUESTED' then
    return private.end_idempotent(private.refused(409, 'invalid_transition', format('This request is %s already.', wanted.status)));
  end if;
  perform private.require_version(wanted.version, expected_version);
  return private.end_idempotent(private.end_role_request(wanted, 'WITHDRAWN', caller, reason));
end $$;
