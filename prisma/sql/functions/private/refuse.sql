-- A refusal that must leave nothing behind: raises SQLSTATE PTnnn, which PostgREST answers as HTTP nnn.
-- `code` is the stable code of the problem, `detail` a sentence for people; `extra` (JSON) travels in the hint.
create or replace function private.refuse(status integer, code text, detail text, extra jsonb default null) returns void
language plpgsql volatile set search_path = '' as $$
begin
  raise exception using errcode = 'PT' || status, message = code, detail = detail, hint = coalesce(extra::text, '');
end $$;

-- A refusal that is an answer: returned and committed, so that an idempotency key replays it.
create or replace function private.refused(status integer, code text, detail text, extra jsonb default '{}') returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_build_object('status', status, 'problem', jsonb_build_object('code', code, 'detail', detail) || extra);
$$;

create or replace function private.answer(status integer, body jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_build_object('status', status, 'body', body);
$$;
