-- Defaults of the settings that operators may change; what is set already stays.
insert into private.setting (key, value) values
  ('platform_fee_bps', '850'),
  ('flag.session_payments', 'false'),
  ('rate_limit.session_book', '{"limit": 240, "seconds": 60}'),
  ('maintenance', '{"enabled": false}')
on conflict (key) do nothing;

