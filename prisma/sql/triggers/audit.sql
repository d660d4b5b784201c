do $$
declare
  target text;
begin
  foreach target in array array['public.user_account', 'public.user_role', 'public.role_request', 'public.coach_profile', 'public.coach_rate',
                                'public.availability_schedule', 'public.session', 'public.review', 'public.notification_preference', 'private.calendly_connection',
                                'private.calendly_event_type', 'private.setting',
                                'private.plan', 'private.plan_price', 'private.referral', 'private.refund', 'private.dispute'] loop
    execute format('drop trigger if exists audit on %s', target);
    execute format('create trigger audit after insert or update or delete on %s for each row execute function private.audit()', target);
  end loop;
  foreach target in array array['private.audit_log', 'private.role_change', 'public.session_transition', 'public.credit_entry',
                                'private.subscription_change', 'private.billing_notice'] loop
    execute format('drop trigger if exists append_only on %s', target);
    execute format('create trigger append_only before update or delete or truncate on %s for each statement execute function private.refuse_change()', target);
  end loop;
end $$;
