-- The state of everyone's data in figures, for an ADMIN. `rules` are those of the rule table that a query can ask, as Python sends them:
-- {id, field, check, argument, roles, statuses, states, with_field}; open is what they find today.
create or replace function public.member_report(rules jsonb, weeks integer default 12) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  today date := (private.now() at time zone 'UTC')::date;
begin
  perform private.require_caller('member:manage');
  return (
    with member as materialized (
      select m.*, private.roles_of(m.user_id) as roles, to_jsonb(m) as data from public.member_profile m
    ), rule as (
      select * from jsonb_to_recordset(rules) r (id text, field text, "check" text, argument text, roles text[], statuses text[], states text[],
                                                 with_field text)
    )
    select jsonb_build_object(
      'members', (select count(*) from member),
      'completeness', (
        select coalesce(jsonb_agg(jsonb_build_object('field', f.key, 'filled', f.filled, 'percent', round(100.0 * f.filled / f.total, 1)) order by f.key), '[]')
        from (select d.key, count(*) filter (where d.value not in ('null', '[]')) as filled, count(*) as total
              from member m cross join lateral jsonb_each(m.data - array['user_id', 'version', 'created_at', 'updated_at']) d group by d.key) f),
      'by_status', (select coalesce(jsonb_object_agg(s.member_status, s.n), '{}') from (select member_status, count(*) as n from member group by 1) s),
      'by_type', (select coalesce(jsonb_agg(jsonb_build_object('value', t.member_type, 'members', t.n) order by t.n desc, t.member_type), '[]')
                  from (select member_type, count(*) as n from member group by 1) t),
      'by_designation', (select coalesce(jsonb_agg(jsonb_build_object('value', d.value, 'members', d.n) order by d.n desc, d.value), '[]')
                         from (select v as value, count(*) as n from member m cross join lateral unnest(m.designations) v group by 1) d),
      'licenses', (select jsonb_build_object(
          'expired', count(*) filter (where license_expiration < today),
          'within30_days', count(*) filter (where license_expiration between today and today + 30),
          'within60_days', count(*) filter (where license_expiration between today and today + 60),
          'within90_days', count(*) filter (where license_expiration between today and today + 90),
          'without_expiration', count(*) filter (where license_number is not null and license_expiration is null)) from member),
      'changes_per_week', (
        select jsonb_agg(jsonb_build_object('week', w.week::date, 'changes', w.changes, 'members', w.members) order by w.week)
        from (select week, count(c.id) as changes, count(distinct c.user_id) as members
              from generate_series(date_trunc('week', today::timestamp) - make_interval(weeks => least(weeks, 53) - 1),
                                   date_trunc('week', today::timestamp), interval '1 week') week
              left join public.member_change c on c.changed_at >= week at time zone 'UTC' and c.changed_at < (week + interval '1 week') at time zone 'UTC'
              group by week) w),
      'open', (
        select coalesce(jsonb_agg(jsonb_build_object('rule', o.id, 'members', o.n) order by o.n desc, o.id), '[]')
        from (select r.id, count(*) as n from rule r join member m on
                (cardinality(r.roles) = 0 or r.roles && m.roles) and (cardinality(r.statuses) = 0 or m.member_status::text = any (r.statuses))
                and (cardinality(r.states) = 0 or m.license_state = any (r.states)) and (r.with_field is null or m.data ->> r.with_field is not null)
                and case r."check"
                      when 'matches' then m.data ->> r.field !~ r.argument
                      when 'not_past' then (m.data ->> r.field)::date < today
                      else m.data ->> r.field is null end
              group by r.id) o)));
end $$;
