"""What PostgREST exposes, and to whom: a line here is a decision; tests/security/test_walls.py holds them."""

from tests.support import calendly

TABLES = {
    "availability_schedule": "coach",
    "coach_profile": "coach",
    "coach_rate": "coach",
    "member_change": "self",
    "member_profile": "self",
    "review": "participants",
    "role_request": "self",
    "session": "participants",
    "session_transition": "participants",
    "user_account": "self",
    "user_role": "self",
}
KEYED_BY_USER = {"coach_profile", "member_change", "member_profile", "role_request", "user_role"}
HIDDEN_COLUMNS = {
    "user_account": {"clerk_id", "clerk_updated_at", "deleted_at"},
    "member_change": {"database_role", "impersonator", "request_id"},
    "session": {"blocked", "buffer_before", "buffer_after", "fee_amount", "fee_bps"},
}
LOGS = ("audit_log", "role_change")
PUBLIC_FUNCTIONS = {"list_coaches", "get_coach", "list_plans", "list_reviews"}
SERVICE_FUNCTIONS = calendly.SERVICE_FUNCTIONS | {
    "advance_sessions",
    "apply_clerk_user",
    "apply_member_import",
    "apply_zoom_event",
    "claim_lost_commands",
    "claim_meeting",
    "claim_member_import",
    "claim_outbox_events",
    "claim_webhook_event",
    "delete_clerk_user",
    "expire_session_holds",
    "fail_webhook_event",
    "finish_stripe_command",
    "finish_stripe_event",
    "get_clerk_roles",
    "get_cursor",
    "keep_next_free",
    "list_due_meetings",
    "list_unreconciled_meetings",
    "mark_outbox_published",
    "match_members",
    "mirror_invoice",
    "mirror_payment_methods",
    "mirror_subscription",
    "notice_expiring_cards",
    "notice_trial_end",
    "plans_to_sync",
    "reconcile_meeting",
    "record_customer",
    "record_meeting",
    "record_plan_at_stripe",
    "record_subscription_change",
    "record_webhook_event",
    "refuse_member_import",
    "roll_up_metrics",
    "send_session_reminders",
    "set_cursor",
    "stage_member_import",
    "stale_next_free",
    "stripe_writes",
    "sweep_webhook_events",
    "take_subscription_snapshot",
}
