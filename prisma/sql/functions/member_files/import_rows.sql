-- Rows of an import between the file and the members: matched, staged, held against each other, applied.

-- Whom each row means, by member key, else by verified e-mail, with all that its rules are checked against. `wanted` is a list of
-- {row, key, email}; `found` is how many people that is, so that only 1 is an answer.
create or replace function public.match_members(wanted jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_importer();
  return (
    select coalesce(jsonb_agg(jsonb_build_object('row', w.row, 'found', cardinality(w.ids)) || case when cardinality(w.ids) = 1
        then jsonb_build_object('member', private.member_json(u, m)) else '{}' end order by w.row), '[]')
    from (
      select x.row, coalesce(
          (select array_agg(m.user_id) from public.member_profile m where m.member_key = x.key),
          (select array_agg(u.id) from public.user_account u
             where u.email operator(extensions.=) x.email::extensions.citext and u.email_verified and u.deleted_at is null), '{}') as ids
      from jsonb_to_recordset(wanted) as x ("row" integer, key text, email text)) w
    left join public.user_account u on cardinality(w.ids) = 1 and u.id = w.ids[1]
    left join public.member_profile m on m.user_id = u.id);
end $$;

-- An ADMIN in his own request, or the consumer that works off what one has started.
create or replace function private.require_importer() returns uuid
language plpgsql stable security definer set search_path = '' as $$
begin
  return case when private.request_role() <> 'service_role' then private.require_caller('member:import') end;
end $$;

-- A row's finding; `findings` of Python are of the same form.
create or replace function private.import_finding(field text, reso text, rule text, message text) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_build_array(jsonb_build_object('column', reso, 'rule', field || '.' || rule, 'severity', 'error', 'message', message));
$$;

-- Stages a batch: {row, user_id, version, roles, data, outcome, findings} each. A row that is there already stays as it is, so a batch
-- that is sent again after a break changes nothing.
create or replace function private.stage_import_rows(import uuid, batch jsonb) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into private.member_import_row (import_id, row_number, user_id, expected_version, decided_for, data, outcome, findings)
  select import, r.row, r.user_id, r.version, r.roles, case when r.outcome in ('CREATE', 'UPDATE') then r.data end, r.outcome, r.findings
  from jsonb_to_recordset(batch) as r ("row" integer, user_id uuid, version integer, roles text[], data jsonb, outcome text, findings jsonb)
  on conflict on constraint member_import_row_pkey do nothing;
  perform private.hold_import_rows(import, (select min((r ->> 'row')::integer) from jsonb_array_elements(batch) r));
end $$;

-- Marks rows (from `from_row` on, or of `people`) that cannot stand beside what is stored or beside an earlier row: one person twice, a key
-- or licence twice.
create or replace function private.hold_import_rows(import uuid, from_row integer, people uuid[] default null) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  update private.member_import_row r set outcome = 'INVALID', findings = r.findings || private.import_finding(
    'row', null, 'repeated', format('Row %s is about the same member.', (
      select min(o.row_number) from private.member_import_row o where o.import_id = import and o.user_id = r.user_id)))
  where r.import_id = import and r.row_number >= from_row and (people is null or r.user_id = any (people)) and r.outcome <> 'INVALID' and exists (
    select 1 from private.member_import_row o where o.import_id = import and o.user_id = r.user_id and o.row_number < r.row_number);

  update private.member_import_row r set outcome = 'INVALID', findings = r.findings || private.import_finding(
    'memberKey', 'MemberKey', 'unique', 'Another member has this key.')
  where r.import_id = import and r.row_number >= from_row and (people is null or r.user_id = any (people)) and r.outcome in ('CREATE', 'UPDATE') and (
    exists (select 1 from public.member_profile m where m.member_key = r.data ->> 'member_key' and m.user_id <> r.user_id)
    or exists (select 1 from private.member_import_row o where o.import_id = import and o.data ->> 'member_key' = r.data ->> 'member_key'
                 and o.row_number < r.row_number and o.outcome in ('CREATE', 'UPDATE')));

  update private.member_import_row r set outcome = 'INVALID', findings = r.findings || private.import_finding(
    'licenseNumber', 'MemberStateLicense', 'unique', 'Another member has this licence.')
  where r.import_id = import and r.row_number >= from_row and (people is null or r.user_id = any (people)) and r.outcome in ('CREATE', 'UPDATE') and (
    exists (select 1 from public.member_profile m where m.license_number = r.data ->> 'license_number'
              and m.license_state is not distinct from r.data ->> 'license_state' and m.user_id <> r.user_id)
    or exists (select 1 from private.member_import_row o where o.import_id = import and o.data ->> 'license_number' = r.data ->> 'license_number'
                 and o.data ->> 'license_state' is not distinct from r.data ->> 'license_state'
                 and o.row_number < r.row_number and o.outcome in ('CREATE', 'UPDATE')));
end $$;

-- Locks the people of the next `batch` rows in the order of their ids (ADR 002), marks rows that were decided on what is no longer so,
-- and, unless something is marked and all or nothing is wanted, writes the others. Answers how many rows it took up.
create or replace function private.apply_import_rows(i private.member_import, batch integer) returns integer
language plpgsql volatile security definer set search_path = '' as $$
declare
  taken uuid[] := array(
    select r.user_id from private.member_import_row r where r.import_id = i.id and r.outcome in ('CREATE', 'UPDATE') order by r.user_id limit batch);
begin
  perform 1 from public.user_account u where u.id = any (taken) order by u.id for no key update;
  update private.member_import_row r set outcome = 'INVALID', findings = r.findings || private.import_finding(
    'row', null, 'changed', 'The member was changed while the import ran. Import this row again.')
  where r.import_id = i.id and r.outcome in ('CREATE', 'UPDATE') and r.user_id = any (taken) and not exists (
    select 1 from public.user_account u left join public.member_profile m on m.user_id = u.id
    where u.id = r.user_id and u.deleted_at is null and coalesce(m.version, 0) = r.expected_version
      and private.roles_of(u.id) = r.decided_for);
  perform private.hold_import_rows(i.id, 1, taken);
  if i.mode = 'ALL_OR_NOTHING' and exists (
      select 1 from private.member_import_row r where r.import_id = i.id and r.outcome = 'INVALID') then
    return cardinality(taken);
  end if;

  perform private.act_for(i.created_by);
  perform private.because(format('Import %s', i.id));
  insert into public.member_profile (
    user_id, member_key, member_mls_id, member_status, member_type, designations, license_number, license_state, license_expiration,
    license_type, company_name, phone, national_association_id, aor, languages, bio, created_at, updated_at)
  select r.user_id, d.member_key, d.member_mls_id, d.member_status, d.member_type, d.designations, d.license_number, d.license_state,
    d.license_expiration, d.license_type, d.company_name, d.phone, d.national_association_id, d.aor, d.languages, d.bio,
    private.now(), private.now()
  from private.member_import_row r cross join lateral jsonb_populate_record(null::public.member_profile, r.data) d
  where r.import_id = i.id and r.outcome = 'CREATE' and r.user_id = any (taken);
  update public.member_profile m set
    member_key = d.member_key, member_mls_id = d.member_mls_id, member_status = d.member_status, member_type = d.member_type,
    designations = d.designations, license_number = d.license_number, license_state = d.license_state,
    license_expiration = d.license_expiration, license_type = d.license_type, company_name = d.company_name, phone = d.phone,
    national_association_id = d.national_association_id, aor = d.aor, languages = d.languages, bio = d.bio
  from private.member_import_row r cross join lateral jsonb_populate_record(null::public.member_profile, r.data) d
  where r.import_id = i.id and r.outcome = 'UPDATE' and r.user_id = any (taken) and m.user_id = r.user_id;
  update private.member_import x set
    created = x.created + c.created, updated = x.updated + c.updated
  from (select count(*) filter (where r.outcome = 'CREATE') as created, count(*) filter (where r.outcome = 'UPDATE') as updated
        from private.member_import_row r where r.import_id = i.id and r.user_id = any (taken)) c
  where x.id = i.id;
  update private.member_import_row r set outcome = 'APPLIED', data = null
  where r.import_id = i.id and r.outcome in ('CREATE', 'UPDATE') and r.user_id = any (taken);
  return cardinality(taken);
end $$;
