-- People as ADMINs see them.
create or replace function private.account_json(u public.user_account) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', u.id, 'first_name', u.first_name, 'last_name', u.last_name, 'email', u.email, 'email_verified', u.email_verified,
    'status', u.status, 'roles', private.roles_of(u.id), 'version', u.version, 'created_at', u.created_at);
$$;

create or replace function private.account_detail_json(u public.user_account) returns jsonb
language sql stable security definer set search_path = '' as $$
  select private.account_json(u) || jsonb_build_object(
    'clerk_id', u.clerk_id, 'timezone', u.timezone, 'locale', u.locale, 'payment_terms', u.payment_terms, 'updated_at', u.updated_at,
    'permissions', private.permissions_of(u.id),
    'coach_profile_status', (select p.status from public.coach_profile p where p.user_id = u.id),
    'upcoming_sessions', (select count(*) from public.session s where u.id in (s.coach_id, s.mentee_id)
                          and s.status in ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS') and s.ends_at > private.now()),
    'open_role_requests', (select coalesce(jsonb_agg(private.role_request_json(q) order by q.created_at), '[]')
                           from public.role_request q where q.user_id = u.id and q.status = 'REQUESTED'));
$$;

-- Newest first; keyset on (created_at, id). Those who were deleted are gone.
create or replace function public.list_accounts(
  search text default null, wanted_role text default null, wanted_status text default null,
  before_at timestamptz default null, before_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  -- What was typed is text and no pattern.
  pattern text := '%' || regexp_replace(search, '([\\%_])', '\\\1', 'g') || '%';
begin
  perform private.require_caller('account:read');
  return (
    select coalesce(jsonb_agg(private.account_json(page.it) order by page.created_at desc, page.id desc), '[]')
    from (
      select u as it, u.created_at, u.id from public.user_account u
      where u.deleted_at is null
        -- The expression of user_account_search_idx.
        and (search is null or (coalesce(u.first_name, '') || ' ' || coalesce(u.last_name, '') || ' ' || coalesce(u.email::text, '')) ilike pattern)
        and (wanted_role is null or exists (select 1 from public.user_role r where r.user_id = u.id and r.role = wanted_role::public.role_name))
        and (wanted_status is null or u.status = wanted_status::public.user_status)
        and (before_id is null or (u.created_at, u.id) < (before_at, before_id))
      order by u.created_at desc, u.id desc limit least(page_size, 101)) page);
end $$;

create or replace function public.get_account(target uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  wanted public.user_account;
begin
  perform private.require_caller('account:read');
  select * into wanted from public.user_account u where u.id = target and u.deleted_at is null;
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such user.');
  end if;
  return private.account_detail_json(wanted);
end $$;

-- Suspends or reactivates somebody, never oneself and never the last active ADMIN; and says how a mentee pays. What is null stays.
drop function if exists public.set_account_status(uuid, text, text, integer);
create or replace function public.change_account(
  target uuid, wanted_status text, wanted_terms text, reason text, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid;
  subject public.user_account;
  before public.user_account;
begin
  perform private.lock_roles();
  caller := private.require_caller('account:manage');
  select * into before from public.user_account u where u.id = target and u.deleted_at is null for update;
  if before.id is null then
    perform private.refuse(404, 'not_found', 'There is no such user.');
  end if;
  perform private.require_version(before.version, expected_version);
  if coalesce(wanted_status, 'ACTIVE') not in ('ACTIVE', 'SUSPENDED') or coalesce(wanted_terms, 'PREPAID') not in ('PREPAID', 'INVOICE')
      or coalesce(wanted_status, wanted_terms) is null or coalesce(reason, '') !~ '\S' then
    perform private.refuse(422, 'validation_failed', 'The status is ACTIVE or SUSPENDED, the terms are PREPAID or INVOICE, with a reason.');
  elsif target = caller then
    perform private.refuse(409, 'own_status', 'You cannot change your own account. Ask another ADMIN.');
  elsif wanted_status = 'SUSPENDED' and 'ADMIN' = any (private.roles_of(target)) and not private.other_admin_exists(target) then
    perform private.refuse(409, 'last_admin', 'The last active ADMIN cannot be suspended.');
  elsif wanted_terms = 'INVOICE' and not 'MENTEE' = any (private.roles_of(target)) then
    perform private.refuse(409, 'not_a_mentee', 'Only mentees book sessions, so only they have payment terms.');
  end if;
  subject := before;
  subject.status := coalesce(wanted_status::public.user_status, before.status);
  subject.payment_terms := coalesce(wanted_terms::public.payment_terms, before.payment_terms);
  if subject is distinct from before then
    perform private.because(reason);
    update public.user_account u set status = subject.status, payment_terms = subject.payment_terms where u.id = target returning * into subject;
  end if;
  if subject.status <> before.status then
    perform private.emit(case wanted_status when 'SUSPENDED' then 'UserSuspended' else 'UserReactivated' end,
                         jsonb_build_object('userId', target, 'actorId', caller, 'reason', reason));
  end if;
  return private.answer(200, private.account_detail_json(subject));
end $$;
