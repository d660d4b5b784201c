-- HMAC-SHA256 (RFC 2104), which Postgres has only with pgcrypto; keys of at most 64 bytes.
create or replace function private.hmac_sha256(message bytea, key bytea) returns bytea
language plpgsql immutable set search_path = '' as $$
declare
  inner_pad bytea := decode(repeat('36', 64), 'hex');
  outer_pad bytea := decode(repeat('5c', 64), 'hex');
begin
  for i in 0 .. length(key) - 1 loop
    inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(key, i));
    outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(key, i));
  end loop;
  return pg_catalog.sha256(outer_pad || pg_catalog.sha256(inner_pad || message));
end $$;

create or replace function private.unsubscribe_signature(person text, type text, key text) returns text
language sql immutable set search_path = '' as $$
  select encode(private.hmac_sha256(convert_to(concat_ws(':', 'unsubscribe', person, type), 'utf8'), decode(key, 'hex')), 'hex');
$$;

-- What an e-mail's link carries: whose, of which type, signed with the newest key. Never expires: a mail from last year has to work (docs/adr/042).
create or replace function private.unsubscribe_token(person uuid, type text) returns text
language sql stable security definer set search_path = '' as $$
  select concat_ws('.', person, type, private.unsubscribe_signature(person::text, type,
    (select k.key from private.unsubscribe_key k order by k.id desc limit 1)));
$$;

-- A new key for the links to come; the five before it still fit.
create or replace function private.rotate_unsubscribe_key() returns void
language sql volatile security definer set search_path = '' as $$
  insert into private.unsubscribe_key (key)
  values (encode(pg_catalog.sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex'));
  delete from private.unsubscribe_key k where k.id <= (select max(n.id) - 6 from private.unsubscribe_key n);
$$;

-- Whose and of which type a token is, or a refusal. Hashes of signatures are compared and not signatures: how far a guess fits
-- would otherwise be told by how long the comparison took.
create or replace function private.unsubscribe_claim(token text) returns record
language plpgsql stable security definer set search_path = '' as $$
declare
  claim record;
begin
  select t[1] as person, t[2] as type into claim
  from regexp_match(token, '^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.([a-z_]{1,50})\.([0-9a-f]{64})$') t
  where exists (
    select 1 from private.unsubscribe_key k
    where pg_catalog.sha256(convert_to(private.unsubscribe_signature(t[1], t[2], k.key), 'utf8')) = pg_catalog.sha256(convert_to(t[3], 'utf8')));
  if claim.person is null then
    perform private.refuse(400, 'link_invalid', 'This link is not one of ours, or a part of it is missing. Copy it whole from the e-mail.');
  end if;
  return claim;
end $$;

-- Which type a link of an e-mail is about. Changes nothing: mail scanners follow every link.
create or replace function public.get_unsubscription(token text) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  claim record := private.unsubscribe_claim(token);
begin
  return jsonb_build_object('type', claim.type);
end $$;

-- Switches the e-mails of one type off for the one whom the token names. Again is the same; a deleted user has nothing to switch off.
create or replace function public.unsubscribe(token text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  claim record := private.unsubscribe_claim(token);
  person uuid := claim.person::uuid;
  off jsonb;
begin
  perform 1 from public.user_account u where u.id = person and u.deleted_at is null for no key update;
  if found then
    perform private.because('The link of an e-mail');
    off := jsonb_build_object(claim.type, coalesce(
      (select p.choices -> claim.type from public.notification_preference p where p.user_id = person), '{}') || '{"email": false}');
    insert into public.notification_preference as p (user_id, choices, created_at, updated_at) values (person, off, private.now(), private.now())
    on conflict (user_id) do update set choices = p.choices || excluded.choices, version = p.version + 1, updated_at = private.now()
      where p.choices is distinct from p.choices || excluded.choices;
  end if;
  return private.answer(200, jsonb_build_object('type', claim.type));
end $$;
