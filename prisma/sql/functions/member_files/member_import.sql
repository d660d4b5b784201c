-- An import: begun by an ADMIN, finished in the same request when it is small, else by the consumer of its queue.
create or replace function private.import_json(i private.member_import) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', i.id, 'status', i.status, 'mode', i.mode, 'dry_run', i.dry_run, 'created_by', i.created_by,
    'rows', jsonb_build_object('read', i.rows_read - 1, 'created', i.created, 'updated', i.updated, 'unchanged', i.unchanged, 'invalid', i.invalid),
    'ignored_columns', i.ignored_columns, 'problem', i.problem, 'created_at', i.created_at, 'finished_at', i.finished_at);
$$;

create or replace function private.new_import(input jsonb, caller uuid) returns private.member_import
language plpgsql volatile security definer set search_path = '' as $$
declare
  made private.member_import;
begin
  delete from private.member_import i where i.created_at < private.now() - interval '30 days';
  insert into private.member_import (created_by, mode, dry_run, file_key, ignored_columns, created_at)
  values (caller, input ->> 'mode', (input ->> 'dry_run')::boolean, input ->> 'file_key',
          array(select jsonb_array_elements_text(coalesce(input -> 'ignored_columns', '[]'))), private.now())
  returning * into made;
  perform private.audit_action('IMPORT', 'member_import', made.id::text, jsonb_build_object('mode', made.mode, 'dryRun', made.dry_run));
  return made;
end $$;

-- What an import came to; the staged values are forgotten.
create or replace function private.finish_import(import uuid, outcome text, problem jsonb default null) returns private.member_import
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  done private.member_import;
begin
  update private.member_import i set
    status = outcome, problem = finish_import.problem, finished_at = private.now(), unchanged = c.unchanged, invalid = c.invalid,
    -- A dry run says what would have happened.
    created = case when i.dry_run then c.creating else i.created end, updated = case when i.dry_run then c.updating else i.updated end
  from (select count(*) filter (where r.outcome = 'UNCHANGED') as unchanged, count(*) filter (where r.outcome = 'INVALID') as invalid,
               count(*) filter (where r.outcome = 'CREATE') as creating, count(*) filter (where r.outcome = 'UPDATE') as updating
        from private.member_import_row r where r.import_id = import) c
  where i.id = import returning i.* into done;
  delete from private.member_import_row r where r.import_id = import and r.findings = '[]';
  update private.member_import_row r set data = null, user_id = null where r.import_id = import;
  perform private.act_for(done.created_by);
  perform private.audit_action('IMPORTED', 'member_import', done.id::text, private.import_json(done) - array['id', 'created_by', 'created_at', 'finished_at']);
  perform private.emit('MemberImportFinished', jsonb_build_object(
    'importId', done.id, 'createdBy', done.created_by, 'status', done.status, 'dryRun', done.dry_run,
    'created', done.created, 'updated', done.updated, 'invalid', done.invalid));
  return done;
end $$;

-- After the last row: nothing to apply in a dry run, nor when one row is wrong and all or nothing is wanted.
create or replace function private.conclude_import(i private.member_import, batch integer) returns private.member_import
language plpgsql volatile security definer set search_path = '' as $$
declare
  wrong boolean := exists (select 1 from private.member_import_row r where r.import_id = i.id and r.outcome = 'INVALID');
  whole boolean := i.mode = 'ALL_OR_NOTHING';
  taken integer := 0;
begin
  if not i.dry_run and not (wrong and whole) then
    taken := private.apply_import_rows(i, case when not whole then batch end);
    if not whole and taken = batch then
      return i;
    end if;
    wrong := exists (select 1 from private.member_import_row r where r.import_id = i.id and r.outcome = 'INVALID');
  end if;
  return private.finish_import(i.id, case when wrong and whole then 'REFUSED' else 'COMPLETED' end, case when wrong and whole then
    jsonb_build_object('code', 'rows_invalid', 'detail', 'Some rows are not acceptable, so none was applied. Mend them, or use VALID_ROWS.') end);
end $$;

-- A small file in one transaction: whatever happens to the request, all of it is done or nothing.
create or replace function public.import_members(input jsonb, batch jsonb, last_row integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('member:import');
  answer jsonb := private.begin_idempotent();
  made private.member_import;
begin
  if answer is not null then
    return answer;
  end if;
  made := private.new_import(input, caller);
  update private.member_import i set rows_read = last_row where i.id = made.id;
  perform private.stage_import_rows(made.id, batch);
  made := private.conclude_import(made, 1000000);
  return private.end_idempotent(private.answer(201, private.import_json(made)));
end $$;

-- A file that the consumer reads. An import that still waits is handed out again with its key, so that a lost message is sent again.
create or replace function public.start_member_import(input jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('member:import');
  answer jsonb := private.begin_idempotent();
begin
  return coalesce(answer, private.end_idempotent(private.answer(202, private.import_json(private.new_import(input, caller)))));
end $$;

-- Before anything is asked of S3, and before a key is given out that a file is uploaded to.
create or replace function public.check_member_importer() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  return jsonb_build_object('caller', private.require_caller('member:import'));
end $$;

create or replace function public.prepare_member_upload() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('member:import');
  answer jsonb := private.begin_idempotent();
begin
  return coalesce(answer, private.end_idempotent(private.answer(201, jsonb_build_object(
    'key', format('imports/%s.csv', replace(gen_random_uuid()::text, '-', ''))))));
end $$;

create or replace function public.get_member_import(import_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  found private.member_import;
begin
  perform private.require_caller('member:import');
  select * into found from private.member_import i where i.id = get_member_import.import_id;
  if found.id is null then
    perform private.refuse(404, 'not_found', 'There is no such import.');
  end if;
  return private.import_json(found);
end $$;

-- What was found, in the order of the file; keyset on (row, place within the row).
create or replace function public.list_import_findings(
  import_id uuid, wanted_severity text default null, after_row integer default 0, after_place integer default 0, page_size integer default 25)
  returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform public.get_member_import(import_id);
  return (
    select coalesce(jsonb_agg(page.found order by page.row_number, page.place), '[]')
    from (
      select f.value || jsonb_build_object('row', r.row_number, 'place', f.place) as found, r.row_number, f.place
      from private.member_import_row r cross join lateral jsonb_array_elements(r.findings) with ordinality as f (value, place)
      where r.import_id = list_import_findings.import_id and r.row_number >= after_row and (r.row_number, f.place) > (after_row, after_place)
        and (wanted_severity is null or f.value ->> 'severity' = wanted_severity)
      order by r.row_number, f.place limit least(page_size, 101)) page);
end $$;

-- The consumer's steps. Each takes the import's row first and does nothing to one that has moved on, so that a message that comes twice,
-- or a worker that was taken for dead, changes nothing: no lease is needed.
create or replace function public.claim_member_import(import_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  i private.member_import;
begin
  perform private.require_service();
  update private.member_import x set status = 'CHECKING' where x.id = claim_member_import.import_id and x.status = 'QUEUED';
  select * into i from private.member_import x where x.id = claim_member_import.import_id;
  return private.answer(200, jsonb_build_object('status', coalesce(i.status, 'REFUSED'), 'file_key', i.file_key, 'rows_read', i.rows_read));
end $$;

-- Stages the rows after `rows_read`, up to `last_row`. `ended`: the file has no more.
create or replace function public.stage_member_import(
  import_id uuid, rows_read integer, last_row integer, batch jsonb, ignored_columns text[], ended boolean) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  i private.member_import;
begin
  perform private.require_service();
  select * into i from private.member_import x where x.id = stage_member_import.import_id for update;
  if i.status = 'CHECKING' and i.rows_read = stage_member_import.rows_read then
    perform private.stage_import_rows(i.id, batch);
    update private.member_import x set
      rows_read = last_row, ignored_columns = stage_member_import.ignored_columns,
      status = case when ended then 'APPLYING' else x.status end
    where x.id = i.id returning * into i;
  end if;
  return private.answer(200, jsonb_build_object('status', i.status, 'rows_read', i.rows_read));
end $$;

-- The one function with more time than the 8 s of all others (PostgREST sets it before the statement): ADR 020.
create or replace function public.apply_member_import(import_id uuid, batch integer) returns jsonb
language plpgsql volatile security definer set search_path = '' set statement_timeout = '45s' as $$
declare
  i private.member_import;
begin
  perform private.require_service();
  select * into i from private.member_import x where x.id = apply_member_import.import_id for update;
  if i.status = 'APPLYING' then
    i := private.conclude_import(i, batch);
  end if;
  return private.answer(200, jsonb_build_object('status', i.status));
end $$;

-- Ends an import whose file cannot be read.
create or replace function public.refuse_member_import(import_id uuid, problem jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  i private.member_import;
begin
  perform private.require_service();
  select * into i from private.member_import x where x.id = refuse_member_import.import_id for update;
  if i.finished_at is null then
    delete from private.member_import_row r where r.import_id = i.id;
    i := private.finish_import(i.id, 'REFUSED', problem);
  end if;
  return private.answer(200, jsonb_build_object('status', i.status));
end $$;
