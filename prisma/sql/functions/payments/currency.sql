-- Arithmetic on money, as coachline.money does it; private.currency is that module's table.

-- A fraction as a multiple of `step`, the nearest; halves away from zero.
create or replace function private.half_up(numerator bigint, denominator bigint, step bigint default 1) returns bigint
language plpgsql immutable set search_path = '' as $$
begin
  return case when numerator < 0 then -1 else 1 end * ((2 * abs(numerator) + denominator * step) / (2 * denominator * step) * step);
end $$;

-- What every amount of a currency is a multiple of.
create or replace function private.step_of(currency text) returns bigint
language plpgsql stable security definer set search_path = '' as $$
begin
  return (select c.step from private.currency c where c.code = currency);
end $$;

-- The share of an amount that so many basis points are.
create or replace function private.fee_of(amount bigint, basis_points integer, currency text) returns bigint
language plpgsql stable set search_path = '' as $$
begin
  return private.half_up(amount * basis_points, 10000, private.step_of(currency));
end $$;

-- What somebody whose part of `paid` is `part` gives of a refund of `refunded`, after refunds of `before`: rounded by what has been refunded
-- altogether, so that the parts of refunds add up to the part of the whole.
create or replace function private.part_of_refund(part bigint, paid bigint, before bigint, refunded bigint, currency text) returns bigint
language plpgsql stable set search_path = '' as $$
declare
  step bigint := private.step_of(currency);
begin
  return case when paid = 0 then 0 else private.half_up(part * (before + refunded), paid, step) - private.half_up(part * before, paid, step) end;
end $$;

-- Prices may be in the currencies that every account of Stripe's takes, and in those that operators have enabled for theirs.
create or replace function private.currency_enabled(code text) returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return code in ('USD', 'EUR', 'GBP') or private.setting('currencies', '[]') ? code;
end $$;

-- What is wrong with a price that somebody sends: refused with a pointer. Null, JSON null and 0 are right in every currency that is enabled.
create or replace function private.check_price(price jsonb, pointer text) returns void
language plpgsql stable security definer set search_path = '' as $$
declare
  known private.currency;
  amount bigint := (price ->> 'amount')::bigint;
begin
  if price is null or price = 'null' then
    return;
  end if;
  select * into known from private.currency c where c.code = price ->> 'currency';
  if known.code is null or not private.currency_enabled(known.code) then
    perform private.refuse_price(pointer || '/currency', format('prices in %s are not enabled here', price ->> 'currency'));
  elsif amount % known.step <> 0 then
    perform private.refuse_price(pointer || '/amount', format('amounts in %s are multiples of %s minor units', known.code, known.step));
  elsif amount < 0 or amount > known.maximum then
    perform private.refuse_price(pointer || '/amount', format('at most %s minor units of %s can be charged', known.maximum, known.code));
  elsif amount between 1 and known.minimum - 1 then
    perform private.refuse_price(pointer || '/amount', format('at least %s minor units of %s can be charged, or 0', known.minimum, known.code));
  end if;
end $$;

create or replace function private.refuse_price(pointer text, detail text) returns void
language plpgsql stable set search_path = '' as $$
begin
  perform private.refuse(422, 'validation_failed', 'This cannot be charged.',
    jsonb_build_object('errors', jsonb_build_array(jsonb_build_object('pointer', pointer, 'detail', detail))));
end $$;

-- Whoever writes: amounts are multiples of their currency's step. The columns are the trigger's arguments.
create or replace function private.hold_currency_step() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  row_ jsonb := to_jsonb(new);
  step bigint := private.step_of(new.currency);
  amount text;
begin
  foreach amount in array tg_argv loop
    if step is null or (row_ ->> amount)::bigint % step <> 0 then
      raise exception using errcode = '23514', message = format('%s.%s is no amount of %s: %s', tg_table_name, amount, new.currency, row_ ->> amount);
    end if;
  end loop;
  return new;
end $$;
