create or replace function private.notification_json(n public.notification) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('id', n.id, 'type', n.type, 'payload', n.payload, 'names', private.notification_names(n.payload),
                            'user_id', n.user_id, 'read_at', n.read_at, 'created_at', n.created_at,
                            'timezone', u.timezone, 'locale', u.locale)
  from public.user_account u where u.id = n.user_id;
$$;

-- The caller's own, newest first; keyset on (created_at, id). `unread` counts all of them, whatever is listed.
create or replace function public.list_notifications(
  only_unread boolean default false, before_at timestamptz default null, before_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('notification:read');
begin
  return jsonb_build_object(
    'unread', (select count(*) from public.notification n where n.user_id = caller and n.read_at is null),
    'rows', (
      select coalesce(jsonb_agg(private.notification_json(page.mine) order by page.created_at desc, page.id desc), '[]')
      from (
        select n as mine, n.created_at, n.id from public.notification n
        where n.user_id = caller and (not only_unread or n.read_at is null)
          and (before_id is null or (n.created_at, n.id) < (before_at, before_id))
        order by n.created_at desc, n.id desc limit least(page_size, 101)) page));
end $$;

-- Read stays read, at the moment at which it was first.
create or replace function public.read_notification(notification_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('notification:update');
  answer jsonb := private.begin_idempotent();
  mine public.notification;
begin
  if answer is not null then
    return answer;
  end if;
  update public.notification n set read_at = coalesce(n.read_at, private.now())
  where n.id = notification_id and n.user_id = caller returning * into mine;
  if mine.id is null then
    perform private.refuse(404, 'not_found', 'There is no such notification.');
  end if;
  return private.end_idempotent(private.answer(200, private.notification_json(mine)));
end $$;

create or replace function public.read_all_notifications() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('notification:update');
  answer jsonb := private.begin_idempotent();
  marked integer;
begin
  if answer is not null then
    return answer;
  end if;
  update public.notification n set read_at = private.now() where n.user_id = caller and n.read_at is null;
  get diagnostics marked = row_count;
  return private.end_idempotent(private.answer(200, jsonb_build_object('read', marked)));
end $$;
