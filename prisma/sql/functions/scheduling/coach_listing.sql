-- private.coach_listing has one row per coach with all that the directory searches and sorts by (ADR 029).

-- Brings a coach's row up to date. Whatever else a transaction locks, it locks this row last, and one such row at most.
create or replace function private.refresh_listing(coach uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into private.coach_listing (coach_id, created_at) select p.user_id, p.created_at from public.coach_profile p where p.user_id = coach
  on conflict do nothing;
  -- What the one who held the row has committed is seen by the next statement only.
  perform 1 from private.coach_listing l where l.coach_id = coach for update;
  update private.coach_listing l set
    listed = n.listed, specialties = n.specialties, languages = n.languages, hourly_amount = n.amount, currency = n.currency, search = n.search
  from (
    select private.is_bookable(p) as listed, array(select lower(s) from unnest(p.specialties) s) as specialties, p.languages, r.amount, r.currency,
           setweight(to_tsvector('simple', coalesce(private.display_name(p.user_id), '')), 'A')
             || setweight(to_tsvector('simple', array_to_string(p.specialties || p.certifications, ' , ')), 'B')
             || setweight(to_tsvector('simple', p.bio), 'C') as search
    from public.coach_profile p cross join lateral (select (private.rate_in_force(p.user_id, null, private.now())).*) r
    where p.user_id = coach) n
  where l.coach_id = coach and (l.listed, l.specialties, l.languages, l.hourly_amount, l.currency, l.search)
    is distinct from (n.listed, n.specialties, n.languages, n.amount, n.currency, n.search);
end $$;

create or replace function private.list_coach() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform private.refresh_listing((coalesce(to_jsonb(new), to_jsonb(old)) ->> case tg_table_name when 'user_account' then 'id' else 'user_id' end)::uuid);
  return null;
end $$;
