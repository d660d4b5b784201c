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
create or replace function public.save_member(target uuid, input jsonb, expected_version integer, decided_for text[]) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller(case when target is null then 'member:update' else 'member:manage' end);
  owner public.user_account;
  before public.member_profile;
  after public.member_profile;
  clash text;
begin
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
  return private.answer(200, private.member_json(owner, after));
end $$;
