-- Who may be one person, for an ADMIN: links of two kinds, and the people they link. Python makes groups of them and scores these.
--   same: members with one normalised key, licence, address, phone or association id, at most 20 of each;
--   near: pairs whose name and company share 70 % of their trigrams.
-- Comparing 20,000 members with each other is 200 million pairs, and an index on trigrams is read 20,000 times. Instead (Bayardo et al.,
-- "Scaling Up All Pairs Similarity Search", 2007): two sets that share 70 % have one of their rarest in common, if of a set of n its rarest
-- n - ceil(0.7 n) + 1 are looked at. Only those are joined, so nothing is missed and few pairs are compared.
create or replace function public.member_duplicates() returns jsonb
language plpgsql stable security definer set search_path = '' set work_mem = '64MB' as $$
begin
  perform private.require_caller('member:manage');
  return (
    with person as materialized (
      select m.user_id, concat_ws(' ', u.first_name, u.last_name) as name, u.email::text as email, m.company_name, m.member_key, m.license_number,
             m.license_state, m.phone, m.national_association_id, m.member_status,
             case when m.company_name is not null and u.last_name is not null
                  then lower(concat_ws(' ', u.first_name, u.last_name, m.company_name)) end as words
      from public.member_profile m join public.user_account u on u.id = m.user_id
    ), value as (
      select user_id, 'memberKey' as reason, nullif(lower(regexp_replace(member_key, '[^[:alnum:]]', '', 'g')), '') as value from person
      union all
      select user_id, 'licenseNumber', license_state || ' ' || nullif(ltrim(regexp_replace(license_number, '[^[:alnum:]]', '', 'g'), '0'), '') from person
      union all
      select user_id, 'email', regexp_replace(lower(email), '\+[^@]*@', '@') from person
      union all
      select user_id, 'phone', phone from person
      union all
      select user_id, 'nationalAssociationId', ltrim(regexp_replace(national_association_id, '[^[:alnum:]]', '', 'g'), '0') from person
    ), same as materialized (
      select reason, (array_agg(user_id order by user_id))[1:20] as members from value where value <> ''
      group by reason, value having count(*) > 1 order by reason, value limit 1001
    ), gram as materialized (
      select p.user_id, g.gram from person p cross join lateral unnest(extensions.show_trgm(p.words)) g (gram)
    ), rarity as (
      select gram, row_number() over (order by count(*), gram)::integer as rank from gram group by gram
    ), ranked as (
      select g.user_id, array_agg(r.rank order by r.rank) as ranks from gram g join rarity r using (gram) group by g.user_id
    ), rarest as materialized (
      select user_id, cardinality(ranks) as size, rank
      from ranked cross join lateral unnest(ranks[1:cardinality(ranks) - ceil(0.7 * cardinality(ranks))::integer + 1]) rank
    ), candidate as (
      select distinct a.user_id as one, b.user_id as other
      from rarest a join rarest b on b.rank = a.rank and a.user_id < b.user_id and least(a.size, b.size) >= 0.7 * greatest(a.size, b.size)
    ), near as materialized (
      select c.one, c.other, round(extensions.similarity(a.words, b.words)::numeric, 2) as similarity
      from candidate c join person a on a.user_id = c.one join person b on b.user_id = c.other
      where extensions.similarity(a.words, b.words) >= 0.7
      order by 3 desc, 1, 2 limit 5001
    ), linked as (
      select unnest(members) as user_id from same union select one from near union select other from near
    )
    select jsonb_build_object(
      'complete', (select count(*) <= 1000 from same) and (select count(*) <= 5000 from near),
      'same', (select coalesce(jsonb_agg(to_jsonb(s)), '[]') from same s),
      'near', (select coalesce(jsonb_agg(to_jsonb(n)), '[]') from near n),
      'people', (select coalesce(jsonb_object_agg(p.user_id, to_jsonb(p) - 'words'), '{}') from person p join linked using (user_id))));
end $$;
