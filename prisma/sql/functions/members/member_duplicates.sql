-- Who may be one person, for an ADMIN: links of two kinds, and the people they link. Python makes groups of them and scores these.
--   same: members with one normalised key, licence, address, phone or association id, at most 20 of each;
--   near: pairs whose name and company share 70 % of their trigrams.
-- 20,000 members are 200 million pairs, so only those of one block are compared: company's first four letters and surname's first, or the
-- surname and the first name's first letter. A pair that differs in these places is not found by its name. Of a block, 200 are looked at.
create or replace function public.member_duplicates() returns jsonb
language plpgsql stable security definer set search_path = '' set work_mem = '64MB' as $$
begin
  perform private.require_caller('member:manage');
  return (
    with person as materialized (
      select m.user_id, concat_ws(' ', u.first_name, u.last_name) as name, u.email::text as email, m.company_name, m.member_key, m.license_number,
             m.license_state, m.phone, m.national_association_id, m.member_status,
             lower(u.first_name) as first_name, lower(u.last_name) as last_name, lower(m.company_name) as company,
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
    ), block as materialized (
      select b.block, p.user_id, p.words, row_number() over (partition by b.block order by p.user_id) as place
      from person p cross join lateral (values ('c ' || left(p.company, 4) || ' ' || left(p.last_name, 1)),
                                               ('n ' || p.last_name || ' ' || left(p.first_name, 1))) b (block)
      where p.words is not null and b.block is not null
    ), candidate as (
      select a.user_id as one, b.user_id as other, extensions.similarity(a.words, b.words) as similarity
      from block a join block b on b.block = a.block and a.user_id < b.user_id and a.place <= 200 and b.place <= 200
    ), near as materialized (
      select one, other, round(max(similarity)::numeric, 2) as similarity
      from candidate where similarity >= 0.7 group by one, other order by 3 desc, 1, 2 limit 5001
    ), linked as (
      select unnest(members) as user_id from same union select one from near union select other from near
    )
    select jsonb_build_object(
      'complete', (select count(*) <= 1000 from same) and (select count(*) <= 5000 from near)
                  and not exists (select 1 from block where place > 200),
      'same', (select coalesce(jsonb_agg(to_jsonb(s)), '[]') from same s),
      'near', (select coalesce(jsonb_agg(to_jsonb(n)), '[]') from near n),
      'people', (select coalesce(jsonb_object_agg(p.user_id, to_jsonb(p) - array['words', 'first_name', 'last_name', 'company']), '{}') from person p join linked using (user_id))));
end $$;
