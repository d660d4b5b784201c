-- Fixed windows per caller and policy; limits are settings ("rate_limit.<policy>": {"limit": n, "seconds": s}).
-- Adds RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers) to the response. Null when allowed, else the refusal.
create or replace function private.take_rate_limit(policy text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  rule jsonb := private.setting('rate_limit.' || policy);
  allowed integer := (rule ->> 'limit')::integer;
  seconds integer := (rule ->> 'seconds')::integer;
  moment timestamptz := pg_catalog.clock_timestamp();
  now_used integer;
  resets_in integer;
begin
  if rule is null then
    return null;
  end if;
  insert into private.rate_limit as r (caller_id, policy, window_started_at, used)
  values (private.caller_id(), take_rate_limit.policy, moment, 1)
  on conflict on constraint rate_limit_pkey do update set
    used = case when r.window_started_at + make_interval(secs => seconds) <= moment then 1 else least(r.used + 1, allowed + 1) end,
    window_started_at = case when r.window_started_at + make_interval(secs => seconds) <= moment then moment else r.window_started_at end
  returning r.used, greatest(1, ceil(extract(epoch from r.window_started_at - moment) + seconds))::integer into now_used, resets_in;
  perform private.respond_with(jsonb_build_array(
    jsonb_build_object('RateLimit-Policy', format('"%s";q=%s;w=%s', policy, allowed, seconds)),
    jsonb_build_object('RateLimit', format('"%s";r=%s;t=%s', policy, greatest(allowed - now_used, 0), resets_in))));
  if now_used <= allowed then
    return null;
  end if;
  perform private.respond_with(jsonb_build_array(jsonb_build_object('Retry-After', resets_in::text)));
  return private.refused(429, 'rate_limited', format('At most %s requests in %s seconds. Try again in %s seconds.', allowed, seconds, resets_in));
end $$;
