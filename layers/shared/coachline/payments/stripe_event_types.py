"""The events that we ask Stripe for; apart, so that the webhook can know them without the SDK."""

HISTORY = frozenset(f"customer.subscription.{what}" for what in ("created", "updated", "deleted", "paused", "resumed"))
EVENT_TYPES = HISTORY | {
    "account.updated",
    "customer.subscription.trial_will_end",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "customer.deleted",
    "customer.updated",
    "invoice.created",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.overdue",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.updated",
    "invoice.voided",
    "invoice_payment.paid",
    "payment_method.attached",
    "payment_method.automatically_updated",
    "payment_method.detached",
    "payment_method.updated",
    "setup_intent.succeeded",
}
