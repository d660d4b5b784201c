-- When a coach is busy in calendars outside of this system, between two instants. The one place where slots, bookings and conflicts learn of
-- it: what imports such times fills it, and bumps the coach's availability version when they change. Nothing is imported yet.
create or replace function private.busy_intervals(coach_id uuid, from_at timestamptz, to_at timestamptz)
returns table (starts_at timestamptz, ends_at timestamptz)
language sql stable security definer set search_path = '' as $$
  select null::timestamptz, null::timestamptz where false;
$$;

create or replace function private.busy_json(coach_id uuid, from_at timestamptz, to_at timestamptz) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_array(b.starts_at, b.ends_at) order by b.starts_at, b.ends_at), '[]')
  from private.busy_intervals(busy_json.coach_id, busy_json.from_at, busy_json.to_at) b;
$$;
