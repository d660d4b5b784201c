-- Defaults of the settings that operators may change; what is set already stays.
insert into private.setting (key, value) values
  ('platform_fee_bps', '850'),
  ('flag.session_payments', 'true'),
  ('dispute_loss_bearer', '"COACH"'),
  -- Besides USD, EUR and GBP. What is missing here has rules of its own at Stripe (docs/payments.md#currencies).
  ('currencies', '["AED", "AUD", "BRL", "CAD", "CHF", "CLP", "CZK", "DKK", "HKD", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PLN", "RON", "SEK", "SGD", "THB", "ZAR"]'),
  ('invoice_days_until_due', '14'),
  ('rate_limit.session_book', '{"limit": 240, "seconds": 60}'),
  ('maintenance', '{"enabled": false}')
on conflict (key) do nothing;

