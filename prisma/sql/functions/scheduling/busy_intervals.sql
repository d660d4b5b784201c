-- When a coach is busy in calendars outside of this system, between two instants. The one place where slots, bookings and conflicts learn of
-- it: what is imported from Calendly, and bookings there that have not become sessions here. Their writers bump the availability version.
create or replace function private.busy_intervals(coach_id uuid, from_at timestamptz, to_at timestamptz)
returns table (starts_at timestamptz, ends_at timestamptz)
language plpgsql stable security definer set search_path = '' as $$
begin
  return query
  select b.starts_at, b.ends_at from private.calendly_busy b
  where b.coach_id = busy_intervals.coach_id and b.starts_at < to_at and b.ends_at > from_at
  union all
  select k.starts_at, k.ends_at from private.calendly_booking k
  where k.coach_id = busy_intervals.coach_id and k.starts_at < to_at and k.ends_at > from_at
    and not k.canceled and private.calendly_blocks(k.outcome)
    and exists (select 1 from private.calendly_connection c where c.coach_id = k.coach_id and c.status <> 'DISCONNECTED');
end $$;

create or replace function private.busy_json(coach_id uuid, from_at timestamptz, to_at timestamptz) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_array(b.starts_at, b.ends_at) order by b.starts_at, b.ends_at), '[]')
    from private.busy_intervals(busy_json.coach_id, busy_json.from_at, busy_json.to_at) b);
end $$;
