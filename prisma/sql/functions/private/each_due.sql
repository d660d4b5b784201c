-- One batch of a job, in one transaction: `private.<task>(id, at)` for each id, which looks again at whether something is due and answers what it
-- did. One that fails is put back, counted and reported as a `kind`, and the rest goes on.
create or replace function private.each_due(kind text, task text, ids uuid[], batch integer, at timestamptz) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  id uuid;
  done text;
  counts jsonb := '{}';
  failures jsonb := '[]';
begin
  foreach id in array ids loop
    begin
      execute format('select private.%I($1, $2)', task) into done using id, at;
      if done is not null then
        counts := counts || jsonb_build_object(done, coalesce((counts ->> done)::integer, 0) + 1);
      end if;
    exception when others then
      failures := failures || jsonb_build_object(kind, id, 'sqlstate', sqlstate, 'reason', sqlerrm);
    end;
  end loop;
  return private.answer(200, jsonb_build_object('counts', counts, 'failures', failures, 'next', case when cardinality(ids) = batch then ids[batch] end));
end $$;
