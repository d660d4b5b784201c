-- One page of members for a file, in the order of their ids: `after` is the last id of the page before. Written out, because a hundred
-- thousand calls of private.member_json take longer than all the rest; and `after` has to stay a bound of the index in a generic plan.
create or replace function public.export_members(filter jsonb, after uuid default null, page_size integer default 2000) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_caller('member:export');
  return (
    select coalesce(jsonb_agg(page.member order by page.user_id), '[]')
    from (
      select m.user_id, jsonb_build_object(
        'user_id', m.user_id, 'first_name', u.first_name, 'last_name', u.last_name, 'email', u.email, 'member_key', m.member_key,
        'member_mls_id', m.member_mls_id, 'member_status', m.member_status, 'member_type', m.member_type, 'designations', m.designations,
        'license_number', m.license_number, 'license_state', m.license_state, 'license_expiration', m.license_expiration,
        'license_type', m.license_type, 'company_name', m.company_name, 'phone', m.phone,
        'national_association_id', m.national_association_id, 'aor', m.aor, 'languages', m.languages, 'bio', m.bio,
        'updated_at', m.updated_at) as member
      from public.member_profile m join public.user_account u on u.id = m.user_id
      where m.user_id > coalesce(after, '00000000-0000-0000-0000-000000000000')
        and (filter ->> 'status' is null or m.member_status::text = filter ->> 'status')
        and (filter ->> 'type' is null or m.member_type = filter ->> 'type')
        and (filter ->> 'designation' is null or filter ->> 'designation' = any (m.designations))
        and (filter ->> 'license_state' is null or m.license_state = filter ->> 'license_state')
        and (filter ->> 'updated_since' is null or m.updated_at >= (filter ->> 'updated_since')::timestamptz)
        and (filter ->> 'license_expires_before' is null or m.license_expiration < (filter ->> 'license_expires_before')::date)
      order by m.user_id limit least(page_size, 5000)) page);
end $$;

-- Who took which members' data out, before the file is handed to him.
create or replace function public.record_member_export(details jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('member:export');
begin
  perform private.require_keys(details, array['filter', 'columns', 'rows', 'bytes', 'delivery']);
  perform private.audit_action('EXPORT', 'member_profile', caller::text, details);
  return private.answer(200, '{}');
end $$;
