-- Defaults of the settings that operators may change; what is set already stays.
insert into private.setting (key, value) values
  ('platform_fee_bps', '850'),
  ('flag.session_payments', 'true'),
  ('dispute_loss_bearer', '"COACH"'),
  -- Besides USD, EUR and GBP. What is missing here has rules of its own at Stripe (docs/payments.md#currencies).
  ('currencies', '["AED", "AUD", "BRL", "CAD", "CHF", "CLP", "CZK", "DKK", "HKD", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PLN", "RON", "SEK", "SGD", "THB", "ZAR"]'),
  ('invoice_days_until_due', '14'),
  -- Amounts in minor units; minimumPaid is what of the session has to stay paid in money. docs/referrals.md explains the rest.
  ('referrals', '{"redeemDays": 30, "expiryDays": 180, "holdDays": 14, "monthlyCap": 10, "rewards": {
     "USD": {"referrer": 2500, "referee": 2500, "minimumPaid": 5000}, "EUR": {"referrer": 2500, "referee": 2500, "minimumPaid": 5000},
     "GBP": {"referrer": 2000, "referee": 2000, "minimumPaid": 4000}, "CAD": {"referrer": 3000, "referee": 3000, "minimumPaid": 6000}}}'),
  ('rate_limit.referral_code', '{"limit": 20, "seconds": 3600}'),
  ('rate_limit.referral_redeem', '{"limit": 60, "seconds": 3600}'),
  ('rate_limit.session_book', '{"limit": 240, "seconds": 60}'),
  ('maintenance', '{"enabled": false}')
on conflict (key) do nothing;

