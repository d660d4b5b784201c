-- Listed and bookable: published, with a rate and a schedule, and still a coach in good standing (DOMAIN C).
create or replace function private.is_bookable(p public.coach_profile) returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return p.status = 'PUBLISHED'
    and (private.rate_in_force(p.user_id, null, private.now())).id is not null
    and exists (select 1 from public.availability_schedule a where a.coach_id = p.user_id)
    and exists (select 1 from public.user_account u join public.user_role r on r.user_id = u.id and r.role = 'COACH'
                where u.id = p.user_id and u.status = 'ACTIVE' and u.deleted_at is null);
end $$;

-- Every word of what somebody typed, as the beginning of a word. Null when there is no word in it.
create or replace function private.words_to_find(typed text) returns tsquery
language sql immutable set search_path = '' as $$
  select string_agg(quote_literal(w.word) || ':*', ' & ')::tsquery
  from (select word from regexp_split_to_table(lower(typed), '[^[:alnum:]]+') word where word <> '' limit 10) w;
$$;

-- One coach as the directory shows him. The next free slot is the stored one while that holds; otherwise `diary` is what to compute it from.
create or replace function private.directory_json(p public.coach_profile, l private.coach_listing, moment timestamptz) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  return private.coach_json(p) || case
    when l.next_free_version = p.availability_version and l.next_free_changes = l.changes and l.next_free_until > moment
        and not exists (select 1 from private.metric_delta d where d.coach_id = p.user_id)
      then jsonb_build_object('next_free_slot', case when l.next_free_at < '9999-01-01' then l.next_free_at end)
    else jsonb_build_object('diary', private.diary(p, moment, moment + interval '60 days', moment)) end;
end $$;

drop function if exists private.next_free_holds(public.coach_profile, private.coach_listing, timestamptz);

drop function if exists public.list_coaches(text, timestamptz, uuid, integer);

-- A page of the directory; keyset on the column of `sort` and the coach's id. `wanted` names what to filter by. The statement is put together of
-- fixed pieces, so that only the conditions that are asked for are planned; every value is a parameter.
-- Public: a definer function, because anon has no table privilege.
create or replace function public.list_coaches(wanted jsonb default '{}', sort text default 'newest', after_key text default null, after_id uuid default null,
  page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  moment timestamptz := private.now();
  key text := case sort when 'rating' then 'rating' when 'price' then 'hourly_amount' when 'nextFree' then 'next_free_at' else 'created_at' end;
  kind text := case when sort in ('rating', 'price') then 'integer' else 'timestamptz' end;
  direction text := case when sort in ('price', 'nextFree') then 'asc' else 'desc' end;
  conditions text := 'l.listed';
  found jsonb;
begin
  if wanted ? 'specialty' then conditions := conditions || ' and l.specialties @> array[lower($1 ->> ''specialty'')]'; end if;
  if wanted ? 'language' then conditions := conditions || ' and $1 ->> ''language'' = any (l.languages)'; end if;
  if wanted ? 'currency' then conditions := conditions || ' and l.currency = $1 ->> ''currency'''; end if;
  if wanted ? 'min_price' then conditions := conditions || ' and l.hourly_amount >= ($1 ->> ''min_price'')::integer'; end if;
  if wanted ? 'max_price' then conditions := conditions || ' and l.hourly_amount <= ($1 ->> ''max_price'')::integer'; end if;
  if wanted ? 'min_rating' then conditions := conditions || ' and l.rating >= ($1 ->> ''min_rating'')::integer'; end if;
  if wanted ? 'free_before' then conditions := conditions || ' and l.next_free_at < ($1 ->> ''free_before'')::timestamptz'; end if;
  if wanted ? 'search' then conditions := conditions || ' and l.search @@ private.words_to_find($1 ->> ''search'')'; end if;
  if after_id is not null then
    conditions := conditions || format(' and (l.%I, l.coach_id) %s ($2::%s, $3)', key, case direction when 'asc' then '>' else '<' end, kind);
  end if;
  execute format(
    $statement$
      select jsonb_agg(private.directory_json(p, page.l, $4) || jsonb_build_object('sort_key', page.key) order by page.key %2$s, p.user_id %2$s)
      from (select l, l.coach_id, l.%1$I as key from private.coach_listing l where %3$s order by l.%1$I %2$s, l.coach_id %2$s limit $5) page
      join public.coach_profile p on p.user_id = page.coach_id
    $statement$, key, direction, conditions)
  into found using wanted, after_key, after_id, moment, least(page_size, 101);
  return coalesce(found, '[]');
end $$;

create or replace function public.get_coach(coach_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  coach public.coach_profile;
  listing private.coach_listing;
begin
  select * into coach from public.coach_profile p where p.user_id = get_coach.coach_id;
  if coach.user_id is null or not private.is_bookable(coach) then
    perform private.refuse(404, 'not_found', 'There is no such coach.');
  end if;
  select * into listing from private.coach_listing l where l.coach_id = coach.user_id;
  return private.directory_json(coach, listing, private.now());
end $$;

-- Listed coaches whose stored next free slot no longer holds, with what to compute it from and which state of things that is.
create or replace function public.stale_next_free(batch_size integer) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  moment timestamptz := private.now();
begin
  perform private.require_service();
  return (
    select coalesce(jsonb_agg(jsonb_build_object('coach_id', s.coach_id, 'duration', (s.coach).default_duration, 'changes', s.changes,
      'diary', private.diary(s.coach, moment, moment + interval '60 days', moment))), '[]')
    from (select l.coach_id, l.changes, p as coach
          from private.coach_listing l join public.coach_profile p on p.user_id = l.coach_id
          where l.listed and (l.next_free_until <= moment or l.next_free_changes <> l.changes or l.next_free_version <> p.availability_version)
          order by l.next_free_until, l.coach_id limit batch_size) s);
end $$;

-- Keeps what was computed, with the state that it was computed on: what has changed since shows as stale again.
create or replace function public.keep_next_free(computed jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  kept integer;
begin
  perform private.require_service();
  -- Locked in the order of the ids, like every statement that holds several of these rows.
  perform 1 from private.coach_listing l where l.coach_id in (select (c ->> 'coach_id')::uuid from jsonb_array_elements(computed) c)
  order by l.coach_id for no key update;
  update private.coach_listing l set
    next_free_at = coalesce(c.next_free_at, '9999-12-31T23:59:59Z'), next_free_until = c.next_free_until,
    next_free_version = c.availability_version, next_free_changes = c.changes
  from jsonb_to_recordset(computed) c (coach_id uuid, next_free_at timestamptz, next_free_until timestamptz, availability_version integer, changes integer)
  where l.coach_id = c.coach_id;
  get diagnostics kept = row_count;
  return private.answer(200, jsonb_build_object('kept', kept));
end $$;
