-- Listed and bookable: published, with a rate and a schedule, and still a coach in good standing (DOMAIN C).
create or replace function private.is_bookable(p public.coach_profile) returns boolean
language sql stable security definer set search_path = '' as $$
  select p.status = 'PUBLISHED'
    and (private.rate_in_force(p.user_id, null, private.now())).id is not null
    and exists (select 1 from public.availability_schedule a where a.coach_id = p.user_id)
    and exists (select 1 from public.user_account u join public.user_role r on r.user_id = u.id and r.role = 'COACH'
                where u.id = p.user_id and u.status = 'ACTIVE' and u.deleted_at is null);
$$;

-- Newest first, keyset on (created_at, coach_id). Public: a definer function, because anon has no table privilege.
create or replace function public.list_coaches(
  specialty text default null, after_created_at timestamptz default null, after_id uuid default null, page_size integer default 25) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(private.coach_json(page.profile) || jsonb_build_object('created_at', page.created_at)
                            order by page.created_at desc, page.user_id desc), '[]')
  from (
    select p as profile, p.created_at, p.user_id from public.coach_profile p
    where private.is_bookable(p)
      and (specialty is null or exists (select 1 from unnest(p.specialties) s where lower(s) = lower(specialty)))
      and (after_id is null or (p.created_at, p.user_id) < (after_created_at, after_id))
    order by p.created_at desc, p.user_id desc limit least(page_size, 101)) page;
$$;

create or replace function public.get_coach(coach_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  wanted public.coach_profile;
begin
  select * into wanted from public.coach_profile p where p.user_id = get_coach.coach_id;
  if wanted.user_id is null or not private.is_bookable(wanted) then
    perform private.refuse(404, 'not_found', 'There is no such coach.');
  end if;
  return private.coach_json(wanted);
end $$;
