-- What an event says of its session, for those that only name it.
create or replace function private.notification_payload(payload jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce((
    select jsonb_build_object('coachId', s.coach_id, 'menteeId', s.mentee_id, 'start', s.starts_at, 'end', s.ends_at)
    from public.session s where s.id = (payload ->> 'sessionId')::uuid), '{}') || payload;
$$;

-- Who an audience is: those whom a member of the payload names, one or a list, or all who have a role, but for him whose doing it was.
create or replace function private.notification_audience(audience text, payload jsonb) returns setof public.user_account
language sql stable security definer set search_path = '' as $$
  select u.* from public.user_account u
  where u.deleted_at is null and u.id = any (case
    when jsonb_typeof(payload -> audience) = 'array' then array(select p.person::uuid from jsonb_array_elements_text(payload -> audience) p (person))
    else array[(payload ->> audience)::uuid] end)
  union all
  select u.* from public.user_account u join public.user_role r on r.user_id = u.id
  where audience like 'role:%' and u.deleted_at is null and r.role::text = substr(audience, 6) and u.id::text is distinct from payload ->> 'userId';
$$;

-- Whether a person wants a type on a channel: his choice, else the default; what is required he cannot switch off.
create or replace function private.notification_wanted(person uuid, type text, channel text, by_default boolean, required boolean) returns boolean
language sql stable security definer set search_path = '' as $$
  select by_default and required or coalesce(
    (select (p.choices -> notification_wanted.type ->> channel)::boolean from public.notification_preference p where p.user_id = person), by_default);
$$;

-- Names as they are now, and the session as it is now.
create or replace function private.notification_names(payload jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('coach', private.display_name((payload ->> 'coachId')::uuid), 'mentee', private.display_name((payload ->> 'menteeId')::uuid),
                            'user', private.display_name((payload ->> 'userId')::uuid));
$$;

-- Tells those whom an event concerns, once, and hands out those of its e-mails that are still to be sent, each to one sender for as long as the
-- lease lasts. `plans`: [{type, audience, in_app, email, required}], the rows of coachline.notifications.catalogue for this event. Whoever was
-- deleted or suspended since, has no verified address or wants no such mail any more is not written to.
create or replace function public.deliver_notifications(event_id uuid, payload jsonb, plans jsonb, lease_seconds integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  told jsonb := private.notification_payload(payload);
  claimed jsonb;
begin
  perform private.require_service();
  if not private.seen_event('notifications', event_id) then
    insert into public.notification (user_id, event_id, type, payload, created_at)
    select a.id, deliver_notifications.event_id, p.type, told, private.now()
    from jsonb_to_recordset(plans) p (type text, audience text, in_app boolean, required boolean)
    cross join lateral private.notification_audience(p.audience, told) a
    where private.notification_wanted(a.id, p.type, 'in_app', p.in_app, p.required)
    on conflict do nothing;
    insert into private.email_delivery (user_id, event_id, type, payload, created_at)
    select a.id, deliver_notifications.event_id, p.type, told, private.now()
    from jsonb_to_recordset(plans) p (type text, audience text, email boolean, required boolean)
    cross join lateral private.notification_audience(p.audience, told) a
    where private.notification_wanted(a.id, p.type, 'email', p.email, p.required)
    on conflict do nothing;
  end if;

  update private.email_delivery d set state = 'DROPPED', finished_at = private.now()
  from jsonb_to_recordset(plans) p (type text, email boolean, required boolean)
  where d.event_id = deliver_notifications.event_id and d.state = 'PENDING' and d.type = p.type
    and (not private.notification_wanted(d.user_id, p.type, 'email', p.email, p.required)
         or not exists (select 1 from public.user_account u where u.id = d.user_id and u.deleted_at is null and u.status <> 'SUSPENDED'
                        and u.email is not null and u.email_verified));

  -- Leases are of this machine's time, as the queue's are, and not of the clock that the local stack moves.
  with due as (
    select d.id from private.email_delivery d
    where d.event_id = deliver_notifications.event_id and d.state = 'PENDING'
      and (d.leased_until is null or d.leased_until < pg_catalog.clock_timestamp())
    order by d.id for update skip locked), taken as (
    update private.email_delivery d
    set attempts = d.attempts + 1, leased_until = pg_catalog.clock_timestamp() + make_interval(secs => lease_seconds)
    from due where d.id = due.id returning d.*)
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', t.id, 'type', t.type, 'payload', t.payload, 'names', private.notification_names(t.payload), 'user_id', t.user_id,
    'email', u.email, 'timezone', u.timezone, 'locale', u.locale, 'token', private.unsubscribe_token(t.user_id, t.type),
    'session', (select private.session_json(s) from public.session s where s.id = (t.payload ->> 'sessionId')::uuid)) order by t.id), '[]')
  into claimed from taken t join public.user_account u on u.id = t.user_id;

  return private.answer(200, jsonb_build_object('emails', claimed, 'unfinished', (
    select count(*) from private.email_delivery d
    where d.event_id = deliver_notifications.event_id and d.state = 'PENDING') - jsonb_array_length(claimed)));
end $$;

-- How it went with an e-mail: SENT, FAILED for good, or PENDING to be tried again. What was decided once stays.
create or replace function public.finish_email(delivery_id uuid, outcome text, message_id text default null, error text default null) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_service();
  update private.email_delivery d set
    state = outcome, message_id = finish_email.message_id, last_error = left(error, 200), leased_until = null,
    finished_at = case when outcome <> 'PENDING' then private.now() end
  where d.id = delivery_id and d.state = 'PENDING';
  return private.answer(200, '{}');
end $$;

create or replace function private.erase_notifications(gone uuid) returns void
language sql volatile security definer set search_path = '' as $$
  delete from public.notification n where n.user_id = gone;
  delete from private.email_delivery d where d.user_id = gone;
  delete from public.notification_preference p where p.user_id = gone;
$$;
