create or replace function private.invoice_json(i private.invoice) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', i.id, 'user_id', i.user_id, 'subscription_id', i.subscription_id, 'number', i.number, 'status', i.status,
    'coach_id', (select o.coach_id from private.session_invoice o where o.id = i.session_invoice_id), 'due_at', i.due_at,
    'billing_reason', upper(i.billing_reason), 'subtotal', private.money(i.subtotal, i.currency), 'total', private.money(i.total, i.currency),
    'amount_due', private.money(i.amount_due, i.currency), 'amount_paid', private.money(i.amount_paid, i.currency),
    'amount_remaining', private.money(i.amount_remaining, i.currency), 'attempt_count', i.attempt_count,
    'next_payment_attempt', i.next_payment_attempt, 'period_start', i.period_start, 'period_end', i.period_end, 'paid_at', i.paid_at,
    'hosted_invoice_url', i.hosted_invoice_url, 'created_at', i.created_at);
$$;

create or replace function public.list_invoices(
  wanted_status text default null, after_at timestamptz default null, after_id uuid default null, page_size integer default 25) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('invoice:read');
begin
  return (
    select coalesce(jsonb_agg(private.invoice_json(page.i) order by page.created_at desc, page.id desc), '[]')
    from (
      select i, i.created_at, i.id from private.invoice i
      where (i.user_id = caller or private.caller_is('ADMIN')) and (wanted_status is null or i.status::text = wanted_status)
        and (after_id is null or (i.created_at, i.id) < (after_at, after_id))
      order by i.created_at desc, i.id desc limit least(page_size, 101)) page);
end $$;

create or replace function public.get_invoice(invoice_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  caller uuid := private.require_caller('invoice:read');
  wanted private.invoice;
begin
  select * into wanted from private.invoice i where i.id = invoice_id and (i.user_id = caller or private.caller_is('ADMIN'));
  if wanted.id is null then
    perform private.refuse(404, 'not_found', 'There is no such invoice.');
  end if;
  return private.invoice_json(wanted) || jsonb_build_object('pdf_url', wanted.invoice_pdf_url, 'lines', (
    select coalesce(jsonb_agg(jsonb_build_object(
        'description', l.description, 'amount', private.money(l.amount, wanted.currency), 'quantity', l.quantity, 'proration', l.proration,
        'period_start', l.period_start, 'period_end', l.period_end, 'session_id', l.session_id) order by l.position), '[]')
    from private.invoice_line l where l.invoice_id = wanted.id));
end $$;
