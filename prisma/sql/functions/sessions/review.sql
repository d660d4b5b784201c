create or replace function private.review_json(r public.review) returns jsonb
language sql stable set search_path = '' as $$
  select to_jsonb(r);
$$;

-- Once per session, by its mentee, when it is completed. What is said stays said: there is no edit (ADR 028); an ADMIN may hide it.
create or replace function public.post_review(session_id uuid, rating integer, text text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('review:write');
  answer jsonb := private.begin_idempotent();
  reviewed public.session;
  made public.review;
begin
  if answer is not null then
    return answer;
  end if;
  select * into reviewed from public.session s where s.id = session_id for share;
  if reviewed.id is null or caller not in (reviewed.mentee_id, reviewed.coach_id) then
    perform private.refuse(404, 'not_found', 'There is no such session.');
  elsif caller <> reviewed.mentee_id then
    perform private.refuse(403, 'forbidden', 'Only the mentee of a session reviews it.');
  elsif reviewed.status <> 'COMPLETED' then
    return private.end_idempotent(private.refused(409, 'session_not_completed',
      format('Only a completed session can be reviewed; this one is %s.', reviewed.status)));
  end if;
  insert into public.review as r (session_id, coach_id, mentee_id, rating, text, created_at, updated_at)
  values (reviewed.id, reviewed.coach_id, caller, rating, text, private.now(), private.now())
  on conflict on constraint review_session_id_key do nothing returning r.* into made;
  if made.id is null then
    return private.end_idempotent(private.refused(409, 'already_reviewed', 'You have reviewed this session already.'));
  end if;
  perform private.emit('ReviewPosted', jsonb_build_object('reviewId', made.id, 'sessionId', made.session_id, 'coachId', made.coach_id,
                                                          'menteeId', made.mentee_id, 'rating', made.rating));
  return private.end_idempotent(private.answer(201, private.review_json(made)));
end $$;

create or replace function public.get_review(session_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('session:read');
  wanted public.review;
begin
  select * into wanted from public.review r
  where r.session_id = get_review.session_id and (caller in (r.coach_id, r.mentee_id) or private.caller_is('ADMIN'));
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such review.');
  end if;
  return private.review_json(wanted);
end $$;

-- Latest first, keyset on (created_at, id). Public: of who wrote it, the first name at most.
create or replace function public.list_reviews(coach_id uuid, before_created_at timestamptz default null, before_id uuid default null,
  page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  coach public.coach_profile;
begin
  select * into coach from public.coach_profile p where p.user_id = list_reviews.coach_id;
  if coach.user_id is null or not private.is_bookable(coach) then
    perform private.refuse(404, 'not_found', 'There is no such coach.');
  end if;
  return (
    select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'rating', r.rating, 'text', r.text, 'author', u.first_name, 'created_at', r.created_at)
                              order by r.created_at desc, r.id desc), '[]')
    from (select * from public.review r
          where r.coach_id = coach.user_id and r.status = 'PUBLISHED'
            and (before_id is null or (r.created_at, r.id) < (before_created_at, before_id))
          order by r.created_at desc, r.id desc limit least(page_size, 101)) r
    join public.user_account u on u.id = r.mentee_id);
end $$;

-- An ADMIN hides a review or shows it again, with a reason that the audit log keeps.
create or replace function public.moderate_review(coach_id uuid, review_id uuid, status text, reason text, expected_version integer) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_variable
declare
  caller uuid := private.require_caller('review:moderate');
  wanted public.review;
begin
  select * into wanted from public.review r where r.id = review_id and r.coach_id = coach_id for update;
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such review.');
  end if;
  perform private.require_version(wanted.version, expected_version);
  perform private.because(reason);
  update public.review r set status = moderate_review.status::public.review_status where r.id = wanted.id returning r.* into wanted;
  return private.answer(200, private.review_json(wanted));
end $$;
