-- A user's member data with what belongs to it of his account; version 0 when nothing is stored yet. The phone is E.164.
create or replace function private.member_json(u public.user_account, m public.member_profile) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'user_id', u.id, 'first_name', u.first_name, 'last_name', u.last_name, 'email', u.email, 'roles', private.roles_of(u.id),
    'member_key', m.member_key, 'member_mls_id', m.member_mls_id, 'member_status', coalesce(m.member_status, 'PENDING'),
    'member_type', m.member_type, 'designations', coalesce(m.designations, '{}'), 'license_number', m.license_number,
    'license_state', m.license_state, 'license_expiration', m.license_expiration, 'license_type', m.license_type,
    'company_name', m.company_name, 'phone', m.phone, 'national_association_id', m.national_association_id, 'aor', m.aor,
    'languages', coalesce(m.languages, '{}'), 'bio', m.bio,
    'version', coalesce(m.version, 0), 'created_at', m.created_at, 'updated_at', m.updated_at);
$$;

-- Own data, or for an ADMIN anyone's; what a write is decided on too.
create or replace function public.get_member(target uuid default null) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller(case when target is null then 'member:read' else 'member:manage' end);
  answer jsonb;
begin
  select private.member_json(u, m) into answer
  from public.user_account u left join public.member_profile m on m.user_id = u.id
  where u.id = coalesce(target, caller) and u.deleted_at is null;
  if answer is null then
    perform private.refuse(404, 'not_found', 'There is no such member.');
  end if;
  return answer;
end $$;

-- Stores what Python checked against the rule table, for a user who had the roles `decided_for` then; other roles have other rules.
-- Version 0 stores it for the first time. The account's row is the lock: deleting a user and changing his roles take it too.
drop function if exists public.save_member(uuid, jsonb, integer, text[]);
create or replace function public.save_member(target uuid, input jsonb, expected_version integer, decided_for text[], reason text default null)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller(case when target is null then 'member:update' else 'member:manage' end);
  answer jsonb := private.begin_idempotent();
  owner public.user_account;
  before public.member_profile;
  after public.member_profile;
  clash text;
begin
  if answer is not null then
    return answer;
  end if;
  perform private.require_keys(input, array['member_key', 'member_mls_id', 'member_status', 'member_type', 'designations', 'license_number',
    'license_state', 'license_expiration', 'license_type', 'company_name', 'phone', 'national_association_id', 'aor', 'languages', 'bio']);
  select * into owner from public.user_account u where u.id = coalesce(target, caller) and u.deleted_at is null for no key update;
  if owner.id is null then
    perform private.refuse(404, 'not_found', 'There is no such member.');
  end if;
  select * into before from public.member_profile m where m.user_id = owner.id;
  perform private.require_version(coalesce(before.version, 0), expected_version);
  if private.roles_of(owner.id) is distinct from decided_for then
    perform private.refuse(409, 'roles_changed', 'The roles of this member have just changed, and other roles have other rules. Send it again.');
  end if;
  after := jsonb_populate_record(before, input || jsonb_build_object('user_id', owner.id));
  if target is null and (coalesce(before.member_status, 'PENDING') = 'SUSPENDED') <> (after.member_status = 'SUSPENDED') then
    perform private.refuse(409, 'member_suspended', 'Only an administrator suspends a member, or lifts it. Keep memberStatus as it is.');
  end if;
  perform private.because(reason);
  begin
    if before.user_id is null then
      insert into public.member_profile (
        user_id, member_key, member_mls_id, member_status, member_type, designations, license_number, license_state, license_expiration,
        license_type, company_name, phone, national_association_id, aor, languages, bio, created_at, updated_at)
      values (
        owner.id, after.member_key, after.member_mls_id, after.member_status, after.member_type, after.designations, after.license_number,
        after.license_state, after.license_expiration, after.license_type, after.company_name, after.phone, after.national_association_id,
        after.aor, after.languages, after.bio, private.now(), private.now())
      returning * into after;
    else
      update public.member_profile m set
        member_key = after.member_key, member_mls_id = after.member_mls_id, member_status = after.member_status,
        member_type = after.member_type, designations = after.designations, license_number = after.license_number,
        license_state = after.license_state, license_expiration = after.license_expiration, license_type = after.license_type,
        company_name = after.company_name, phone = after.phone, national_association_id = after.national_association_id,
        aor = after.aor, languages = after.languages, bio = after.bio
      where m.user_id = owner.id returning * into after;
    end if;
  exception when unique_violation then
    get stacked diagnostics clash = constraint_name;
    if clash = 'member_profile_member_key_key' then
      perform private.refuse(409, 'member_key_taken', 'Another member has this key.',
        '{"errors": [{"pointer": "#/memberKey", "detail": "Another member has this key.", "rule": "memberKey.unique"}]}');
    end if;
    perform private.refuse(409, 'license_taken', 'Another member has this licence.',
      '{"errors": [{"pointer": "#/licenseNumber", "detail": "Another member has this licence.", "rule": "licenseNumber.unique"}]}');
  end;
  return private.end_idempotent(private.answer(200, private.member_json(owner, after)));
end $$;

-- What else of a member's data is already somebody's, for a dry run, and the roles that the caller has.
create or replace function public.member_clashes(member_key text default null, license_number text default null, license_state text default null)
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  caller uuid := private.require_caller('member:read');
begin
  return jsonb_build_object(
    'roles', private.roles_of(caller),
    'member_key', exists (select 1 from public.member_profile m where m.member_key = member_clashes.member_key and m.user_id <> caller),
    'license_number', exists (select 1 from public.member_profile m where m.license_number = member_clashes.license_number
                              and m.license_state is not distinct from member_clashes.license_state and m.user_id <> caller));
end $$;

-- Everyone's, newest first; keyset on (created_at, user_id). `search` is part of a name, address, company, key, id or licence number.
create or replace function public.list_members(
  status text default null, type text default null, designation text default null, search text default null,
  before_created_at timestamptz default null, before_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_caller('member:manage');
  return (
    select coalesce(jsonb_agg(private.member_json(page.u, page.m) order by page.created_at desc, page.user_id desc), '[]')
    from (
      select u, m, m.created_at, m.user_id
      from public.member_profile m join public.user_account u on u.id = m.user_id
      where (list_members.status is null or m.member_status::text = list_members.status)
        and (list_members.type is null or m.member_type = list_members.type)
        and (list_members.designation is null or list_members.designation = any (m.designations))
        and (search is null or strpos(lower(concat_ws(E'\n', concat_ws(' ', u.first_name, u.last_name), u.email, m.company_name, m.member_key,
               m.member_mls_id, m.license_number, m.national_association_id)), lower(search)) > 0)
        and (before_id is null or (m.created_at, m.user_id) < (before_created_at, before_id))
      order by m.created_at desc, m.user_id desc limit least(page_size, 101)) page);
end $$;
