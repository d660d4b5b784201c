-- Sessions that a mentee's plan includes: each counts in the month in which it was booked, unless it was given back.
create table private.included_session (
  session_id uuid not null,
  user_id uuid not null,
  subscription_id uuid not null,
  month date not null,
  taken_at timestamptz(6) not null default now(),
  returned_at timestamptz(6),
  constraint included_session_pkey primary key (session_id),
  constraint included_session_session_id_fkey foreign key (session_id) references public.session (id) on update cascade on delete restrict,
  constraint included_session_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete restrict,
  constraint included_session_subscription_id_fkey foreign key (subscription_id) references private.subscription (id) on update cascade on delete restrict,
  constraint included_session_month_check check (month = date_trunc('month', month)::date)
);
create index included_session_user_id_month_idx on private.included_session (user_id, month);
create index included_session_subscription_id_idx on private.included_session (subscription_id);
alter table private.included_session enable row level security;
alter table private.included_session force row level security;

-- All of such a payment is borne by the platform, as if it were account credit that nobody has spent.
alter table private.payment
  add column included boolean not null default false,
  add constraint payment_included_check check (not included or credit_amount = amount);
