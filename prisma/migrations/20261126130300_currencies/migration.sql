-- The currencies that amounts may be in: a copy of coachline.money's table, made by prisma/sql/seed/currency.sql.
create table private.currency (
  code text not null,
  exponent integer not null,
  step bigint not null,
  minimum bigint not null,
  maximum bigint not null,
  constraint currency_pkey primary key (code),
  constraint currency_code_check check (code ~ '^[A-Z]{3}$'),
  constraint currency_exponent_check check (exponent between 0 and 3),
  constraint currency_amounts_check check (step > 0 and minimum % step = 0 and minimum between step and maximum)
);
alter table private.currency enable row level security;
alter table private.currency force row level security;
