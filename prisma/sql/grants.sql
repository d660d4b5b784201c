-- Everything is taken away first, from every role: Supabase's default privileges give each new table and function to anon, authenticated and
-- service_role, so "revoke from public" alone would leave them open.
revoke all on all tables in schema public, private from public, anon, authenticated, service_role;
revoke all on all sequences in schema public, private from public, anon, authenticated, service_role;
revoke all on all functions in schema public, private from public, anon, authenticated, service_role;
revoke all on schema private from public;
grant usage on schema private to anon, authenticated, service_role;

-- Tables: signed-in callers may read, row by row as policies/ says. Columns are named where some are nobody's business but the API's.
grant select (id, email, email_verified, first_name, last_name, timezone, locale, status, version, created_at, updated_at)
  on public.user_account to authenticated;
grant select on public.member_profile to authenticated;
grant select (id, user_id, version, field, old_value, new_value, actor_id, reason, changed_at) on public.member_change to authenticated;
grant select on public.user_role, public.role_request, public.coach_profile, public.coach_rate, public.availability_schedule to authenticated;
grant select (id, coach_id, mentee_id, type, status, starts_at, ends_at, duration_minutes, coach_timezone, mentee_timezone, rate_amount, price_amount,
              currency, note, hold_expires_at, cancelled_at, cancelled_by, cancellation_reason,
              rescheduled_count, mentee_reschedules, rescheduled_at, refund_percent, refund_amount, no_show_by, completed_at,
              version, created_at, updated_at)
  on public.session to authenticated;
grant select on public.session_transition, public.review to authenticated;
grant select on public.goal, public.goal_progress, public.goal_event, public.achievement_definition, public.achievement_grant to authenticated;
grant select on public.credit_account to authenticated;
grant select (id, user_id, currency, kind, amount, owed, session_id, referral_id, created_at) on public.credit_entry to authenticated;
grant select on public.notification, public.notification_preference to authenticated;

-- The service role reads what jobs and support need, and writes through functions only.
grant select on all tables in schema public to service_role;
revoke all on public._prisma_migrations from service_role;

-- Helpers that policies and invoker code call as the caller.
grant execute on function private.guard(), private.caller_id(), private.caller_is(public.role_name) to anon, authenticated, service_role;

grant execute on function
  public.list_coaches(jsonb, text, text, uuid, integer), public.get_coach(uuid),
  public.list_reviews(uuid, timestamptz, uuid, integer),
  public.list_plans(timestamptz, uuid, integer),
  public.get_unsubscription(text), public.unsubscribe(text)
  to anon, authenticated;

grant execute on function
  public.get_plan(uuid), public.create_plan(jsonb), public.update_plan(uuid, jsonb, integer), public.delete_plan(uuid),
  public.list_subscriptions(timestamptz, uuid, integer), public.get_subscription(uuid), public.begin_subscription(uuid, uuid),
  public.begin_subscription_action(uuid, text, jsonb, integer), public.get_subscription_change(uuid, uuid),
  public.list_payment_methods(), public.begin_payment_method_setup(), public.begin_payment_method_action(uuid, text),
  public.begin_refund(uuid, bigint, text, text, text), public.list_refunds(uuid, timestamptz, uuid, integer),
  public.list_disputes(boolean, timestamptz, uuid, integer), public.get_dispute(uuid), public.save_dispute_evidence(uuid, jsonb, boolean, integer),
  public.list_payments(uuid, text, timestamptz, uuid, integer), public.get_payment(uuid), public.begin_payment(uuid, uuid),
  public.get_payment_to_make(uuid),
  public.get_billing_customer(), public.list_invoices(text, timestamptz, uuid, integer), public.get_invoice(uuid),
  public.get_revenue_report(timestamptz, timestamptz, text, uuid, text),
  public.get_subscription_report(timestamptz, timestamptz), public.get_coach_account(), public.begin_payout_onboarding()
  to authenticated;

-- What a command became: its owner says it, or the janitor.
grant execute on function
  public.record_plan_at_stripe(uuid, uuid, text, text), public.record_customer(uuid, text), public.finish_stripe_command(uuid, text, text)
  to authenticated, service_role;

grant execute on function
  public.plans_to_sync(boolean), public.claim_lost_commands(integer, integer), public.stripe_write_position(),
  public.mirror_subscriptions(jsonb, bigint), public.record_subscription_change(jsonb, text, timestamptz),
  public.mirror_coach_account(jsonb, bigint), public.mirror_invoices(jsonb, bigint), public.mirror_payment_methods(text, jsonb, text, bigint),
  public.mirror_charge(jsonb, bigint), public.charge_position(text), public.charge_of_transfer(text), public.get_waiting_command(uuid),
  public.retry_reversals(integer), public.notice_dispute_deadlines(timestamptz),
  public.mirror_payments(jsonb, bigint), public.record_movements(jsonb), public.retry_top_ups(integer), public.let_go_of_payments(integer),
  public.notice_failed_payment(text, integer),
  public.gather_session_invoices(date, integer, uuid), public.claim_session_invoices(integer, integer),
  public.finish_session_invoice(uuid, text, text),
  public.notice_trial_end(text, timestamptz), public.notice_expiring_cards(timestamptz),
  public.get_cursor(text), public.set_cursor(text, text), public.take_subscription_snapshot(date), public.take_revenue_snapshot(date, date)
  to service_role;

grant execute on function
  public.begin_calendly_consent(), public.get_calendly(), public.disconnect_calendly(), public.request_calendly_sync(),
  public.list_calendly_event_types(text, uuid, integer), public.map_calendly_event_type(uuid, jsonb, integer),
  public.ensure_user(), public.get_me(), public.update_me(jsonb, integer),
  public.export_members(jsonb, uuid, integer), public.record_member_export(jsonb),
  public.check_member_importer(), public.prepare_member_upload(), public.match_members(jsonb),
  public.import_members(jsonb, jsonb, integer), public.start_member_import(jsonb), public.get_member_import(uuid),
  public.list_import_findings(uuid, text, integer, integer, integer),
  public.get_member(uuid), public.save_member(uuid, jsonb, integer, text[], text),
  public.member_clashes(text, text, text), public.list_members(text, text, text, text, timestamptz, uuid, integer),
  public.member_history(uuid, timestamptz, bigint, integer), public.member_duplicates(), public.member_report(jsonb, integer),
  public.get_user_roles(uuid), public.set_user_roles(uuid, text[], text, integer, boolean), public.preview_user_roles(uuid[], text[], text[], boolean),
  public.create_role_request(jsonb), public.list_role_requests(text, text, uuid, timestamptz, uuid, integer),
  public.decide_role_request(uuid, text, text, integer), public.withdraw_role_request(uuid, text, integer),
  public.list_role_changes(uuid, uuid, text, timestamptz, timestamptz, bigint, integer), public.role_analytics(timestamptz, timestamptz),
  public.list_accounts(text, text, text, timestamptz, uuid, integer), public.get_account(uuid),
  public.change_account(uuid, text, text, text, integer),
  public.list_audit(uuid, text, text, text, text, timestamptz, timestamptz, bigint, integer),
  public.get_coach_profile(), public.create_coach_profile(jsonb), public.update_coach_profile(jsonb, integer),
  public.list_coach_rates(timestamptz, uuid, integer),
  public.list_schedules(uuid, timestamptz, uuid, integer), public.get_schedule(uuid), public.create_schedule(jsonb, text, uuid),
  public.update_schedule(uuid, jsonb, integer, text), public.delete_schedule(uuid, text), public.make_default_schedule(uuid, text),
  public.availability_context(uuid, integer), public.list_schedules_beside(uuid),
  public.create_holiday_schedules(jsonb, text),
  public.booking_context(uuid, timestamptz, timestamptz, integer),
  public.book_session(uuid, timestamptz, integer, uuid, integer, jsonb, text, uuid), public.record_refusal(integer, jsonb),
  public.get_session(uuid), public.list_sessions(text, text, timestamptz, timestamptz, timestamptz, uuid, integer),
  public.cancel_session(uuid, text, integer, integer), public.complete_session(uuid, text, integer),
  public.report_no_show(uuid, text, text, integer),
  public.reschedule_context(uuid, timestamptz, integer, integer),
  public.reschedule_session(uuid, timestamptz, integer, uuid, integer, text, integer),
  public.get_session_history(uuid, bigint, integer),
  public.post_review(uuid, integer, text), public.get_review(uuid), public.moderate_review(uuid, uuid, text, text, integer),
  public.list_achievements(uuid, text, integer), public.list_achievement_definitions(text, integer), public.get_achievement_definition(uuid),
  public.create_achievement_definition(jsonb), public.update_achievement_definition(uuid, jsonb, integer),
  public.retire_achievement_definition(uuid), public.grant_achievement(uuid, text, text), public.revoke_achievement(uuid, text),
  public.create_goal(jsonb), public.get_goal(uuid), public.list_goals(uuid, text, text, timestamptz, uuid, integer),
  public.update_goal(uuid, jsonb, integer, text), public.delete_goal(uuid),
  public.list_goal_progress(uuid, timestamptz, uuid, integer), public.add_goal_progress(uuid, jsonb),
  public.list_referrals(timestamptz, uuid, integer), public.create_referral_code(), public.redeem_referral_code(text),
  public.list_credit(bigint, integer), public.list_all_referrals(text, text, uuid, timestamptz, uuid, integer),
  public.review_referral(uuid, text, text, integer),
  public.list_notifications(boolean, timestamptz, uuid, integer), public.read_notification(uuid), public.read_all_notifications(),
  public.get_notification_preferences(), public.save_notification_preferences(jsonb, integer),
  public.session_metrics(text, date, date, text), public.coach_metrics(uuid, date, date, text)
  to authenticated;

grant execute on function
  public.get_meeting(uuid), public.request_meeting(uuid), public.update_meeting(uuid, jsonb, integer), public.get_meeting_metrics(uuid),
  public.join_meeting(uuid), public.peek_join_link(uuid), public.open_meeting(uuid)
  to authenticated;

grant execute on function
  public.claim_meeting(uuid, text, boolean), public.record_meeting(uuid, uuid, text, text, jsonb, bigint, text, text, integer),
  public.list_due_meetings(integer), public.apply_zoom_event(uuid, text, bigint, text, timestamptz, text, boolean),
  public.list_unreconciled_meetings(integer), public.reconcile_meeting(uuid, jsonb)
  to service_role;

grant execute on function
  public.list_webhook_events(text, text, text, timestamptz, uuid, integer), public.get_webhook_event(uuid), public.replay_webhook_event(uuid)
  to authenticated;

grant execute on function
  public.expire_session_holds(timestamptz, integer, uuid), public.advance_sessions(timestamptz, integer, uuid),
  public.send_session_reminders(timestamptz, integer, uuid), public.advance_goals(timestamptz, integer, uuid),
  public.apply_growth_events(jsonb), public.backfill_achievements(integer, uuid),
  public.advance_referrals(timestamptz, integer, uuid), public.settle_referral(uuid),
  public.redeem_calendly_consent(text), public.connect_calendly(uuid, jsonb, text, text, integer), public.calendly_account(uuid, integer),
  public.take_calendly_token(uuid, integer, integer), public.renew_calendly_token(uuid, integer, text, text, integer),
  public.fail_calendly_refresh(uuid, integer, boolean), public.forget_calendly_token(uuid, integer),
  public.apply_calendly_event_type(uuid, text, jsonb), public.apply_calendly_bookings(jsonb, boolean, uuid),
  public.settle_calendly_booking(text, uuid), public.unsettled_calendly_bookings(uuid),
  public.claim_calendly_syncs(integer, integer, uuid), public.advance_calendly_sync(uuid, text, text, integer),
  public.keep_calendly_webhook(uuid, text, text, integer), public.keep_calendly_event_types(uuid, jsonb, text, integer),
  public.stale_calendly_events(uuid, jsonb), public.keep_calendly_busy(uuid, timestamptz, timestamptz, jsonb, text, integer),
  public.release_calendly_sync(uuid, text, integer, boolean),
  public.record_webhook_event(text, text, text, jsonb), public.claim_webhook_event(uuid, integer), public.finish_webhook_event(uuid),
  public.fail_webhook_event(uuid, text, boolean), public.sweep_webhook_events(integer, integer),
  public.apply_clerk_user(uuid, text, text, boolean, text, text, timestamptz), public.delete_clerk_user(uuid, text),
  public.get_clerk_roles(uuid),
  public.deliver_notifications(uuid, jsonb, jsonb, integer), public.finish_email(uuid, text, text, text),
  public.match_members(jsonb), public.claim_member_import(uuid),
  public.stage_member_import(uuid, integer, integer, jsonb, text[], boolean), public.apply_member_import(uuid, integer),
  public.refuse_member_import(uuid, jsonb),
  public.claim_outbox_events(integer, integer), public.mark_outbox_published(uuid[]),
  public.roll_up_metrics(integer), public.stale_next_free(integer), public.keep_next_free(jsonb)
  to service_role;
