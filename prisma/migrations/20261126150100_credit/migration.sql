-- Credit in money: what a person may pay part of a session with. An account is the sum of its entries (triggers/credit.sql).

create type public.credit_kind as enum ('GRANTED', 'SPENT', 'RETURNED', 'CLAWED_BACK', 'COLLECTED');

create table public.credit_account (
  user_id uuid not null,
  currency text not null,
  balance bigint not null default 0,
  -- What was to be clawed back and had been spent: taken from whatever comes in next.
  owed bigint not null default 0,
  created_at timestamptz(6) not null default now(),
  updated_at timestamptz(6) not null default now(),
  constraint credit_account_pkey primary key (user_id, currency),
  constraint credit_account_user_id_fkey foreign key (user_id) references public.user_account (id) on update cascade on delete restrict,
  constraint credit_account_currency_check check (currency ~ '^[A-Z]{3}$'),
  constraint credit_account_balance_check check (balance >= 0),
  constraint credit_account_owed_check check (owed >= 0)
);
alter table public.credit_account enable row level security;
alter table public.credit_account force row level security;

-- Append-only. `amount` changes the balance, `owed` what is owed; `key` names an effect that happens to a person once.
create table public.credit_entry (
  id bigint generated always as identity,
  user_id uuid not null,
  currency text not null,
  kind public.credit_kind not null,
  amount bigint not null,
  owed bigint not null default 0,
  session_id uuid,
  referral_id uuid,
  key text,
  created_at timestamptz(6) not null default now(),
  constraint credit_entry_pkey primary key (id),
  constraint credit_entry_user_id_currency_fkey foreign key (user_id, currency) references public.credit_account (user_id, currency)
    on update cascade on delete restrict,
  constraint credit_entry_session_id_fkey foreign key (session_id) references public.session (id) on update cascade on delete restrict,
  constraint credit_entry_amounts_check check (case kind
    when 'GRANTED' then amount > 0 and owed = 0
    when 'SPENT' then amount < 0 and owed = 0
    when 'RETURNED' then amount > 0 and owed = 0
    when 'CLAWED_BACK' then amount <= 0 and owed >= 0 and owed > amount
    when 'COLLECTED' then amount < 0 and owed = amount end),
  constraint credit_entry_session_check check ((kind in ('SPENT', 'RETURNED')) = (session_id is not null)),
  constraint credit_entry_key_check check (length(key) between 1 and 100 and (key is not null or kind not in ('GRANTED', 'CLAWED_BACK')))
);
create unique index credit_entry_spent_once_idx on public.credit_entry (session_id) where kind = 'SPENT';
create unique index credit_entry_key_idx on public.credit_entry (user_id, kind, key) where key is not null;
create index credit_entry_returned_idx on public.credit_entry (session_id) where kind = 'RETURNED';
create index credit_entry_user_id_currency_id_idx on public.credit_entry (user_id, currency, id);
alter table public.credit_entry enable row level security;
alter table public.credit_entry force row level security;
