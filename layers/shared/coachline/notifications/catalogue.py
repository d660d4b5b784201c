"""What people are told: one row for each type of notification. A new one is a row here and a text in `texts`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CHANNELS = ("in_app", "email")
BOTH = ("coachId", "menteeId")


@dataclass(frozen=True)
class NotificationType:
    """Which event is told to whom, and how unless they choose otherwise.

    `audience`: members of the event's payload that name a person or list several, or `role:ADMIN` for all who have
    that role.
    `required`: its default channels cannot be switched off. `invite`: the e-mail carries the session for the calendar.
    `unless`: a member of the payload whose presence says that another type tells the same.
    """

    type: str
    event: str
    title: str
    audience: tuple[str, ...]
    in_app: bool = True
    email: bool = True
    required: bool = False
    invite: bool = False
    unless: str = ""


TYPES = (
    NotificationType("session_scheduled", "SessionScheduled", "Sessions booked", BOTH, invite=True),
    NotificationType("session_rescheduled", "SessionRescheduled", "Sessions moved", BOTH, invite=True),
    NotificationType("session_cancelled", "SessionCancelled", "Sessions cancelled", BOTH, invite=True),
    NotificationType("session_expired", "SessionExpired", "Bookings that ran out", ("menteeId",), email=False),
    NotificationType("session_reminder", "SessionReminderDue", "Reminders of sessions", BOTH),
    NotificationType("session_completed", "SessionCompleted", "Sessions held", ("menteeId",)),
    NotificationType("session_no_show", "SessionNoShow", "Sessions missed", BOTH),
    NotificationType("meeting_ready", "MeetingReady", "Meeting links", BOTH, email=False),
    NotificationType("meeting_failed", "MeetingFailed", "Meetings that could not be set up", ("coachId",)),
    NotificationType("review_posted", "ReviewPosted", "Reviews of you", ("coachId",)),
    NotificationType("calendly_clash", "CalendlyBookingClashed", "Calendly bookings that clash", ("coachId",)),
    NotificationType("calendly_guest", "CalendlyGuestBooked", "Calendly bookings by guests", ("coachId",)),
    NotificationType(
        "calendly_mismatch", "CalendlyBookingMismatched", "Calendly bookings that do not fit", ("coachId",)
    ),
    NotificationType(
        "calendly_flagged", "CalendlyBookingFlagged", "Calendly bookings outside your hours", ("coachId",)
    ),
    NotificationType("calendly_reconnect", "CalendlyReconnectRequired", "Calendly connection", ("coachId",)),
    NotificationType("goal_reminder", "GoalReminderDue", "Deadlines of goals", ("userId",)),
    NotificationType("goal_overdue", "GoalOverdue", "Deadlines that passed", ("userId",)),
    NotificationType("goal_completed", "GoalCompleted", "Goals reached", ("userId",)),
    NotificationType("goal_milestone", "GoalMilestoneReached", "Milestones of goals", ("userId",), email=False),
    NotificationType("goal_shared", "GoalShared", "Goals shared with you", ("coachIds",)),
    NotificationType("achievement_granted", "AchievementGranted", "Achievements", ("userId",)),
    NotificationType("achievement_revoked", "AchievementRevoked", "Achievements taken back", ("userId",)),
    NotificationType("trial_ending", "TrialEnding", "End of a trial", ("userId",)),
    NotificationType("payment_failed", "PaymentFailed", "Payments that failed", ("userId",), required=True),
    NotificationType("refund_made", "RefundSucceeded", "Refunds", ("menteeId",), required=True),
    NotificationType("refund_failed", "RefundFailed", "Refunds that did not arrive", ("menteeId",), required=True),
    NotificationType("refund_to_check", "RefundFailed", "Refunds to look after", ("role:ADMIN",)),
    NotificationType("dispute_opened", "DisputeOpened", "Disputes of payments", ("coachId", "role:ADMIN")),
    NotificationType("dispute_due", "DisputeDeadlineNear", "Disputes to answer", ("coachId", "role:ADMIN")),
    NotificationType("dispute_closed", "DisputeClosed", "Decided disputes", ("coachId", "role:ADMIN")),
    NotificationType("payment_returned", "PaymentReturned", "Banks that did not pay", ("menteeId",), required=True),
    NotificationType("invoice_overdue", "InvoiceOverdue", "Invoices that are overdue", ("userId",), required=True),
    NotificationType(
        "session_invoice_failed",
        "SessionInvoiceFailed",
        "Invoices that could not be sent",
        ("role:ADMIN",),
        required=True,
    ),
    NotificationType("card_expiring", "CardExpiring", "Cards that expire", ("userId",)),
    NotificationType("subscription_changed", "SubscriptionStatusChanged", "Changes of your subscription", ("userId",)),
    NotificationType("payouts_ready", "PayoutsReady", "Payouts to you", ("coachId",)),
    NotificationType(
        "payouts_restricted", "PayoutsRestricted", "Payouts that are stopped", ("coachId",), required=True
    ),
    NotificationType("role_requested", "RoleRequested", "Applications for roles", ("role:ADMIN",), email=False),
    NotificationType("role_request_approved", "RoleRequestApproved", "Your application, approved", ("userId",)),
    NotificationType("role_request_rejected", "RoleRequestRejected", "Your application, rejected", ("userId",)),
    NotificationType(
        "roles_changed", "UserRolesChanged", "Changes of your roles", ("userId",), required=True, unless="roleRequestId"
    ),
    NotificationType("account_reactivated", "UserReactivated", "Your account", ("userId",), required=True),
    NotificationType(
        "referral_rewarded", "ReferralRewarded", "Rewards of referrals", ("userId",), unless="withoutReward"
    ),
    NotificationType("referral_rejected", "ReferralRejected", "Referrals that earn nothing", ("userId",)),
    NotificationType(
        "referral_clawed_back",
        "ReferralClawedBack",
        "Rewards that were taken back",
        ("userId",),
        unless="withoutReward",
    ),
    NotificationType("referral_flagged", "ReferralFlagged", "Referrals to decide about", ("role:ADMIN",), email=False),
    NotificationType("member_import_finished", "MemberImportFinished", "Imports of members", ("createdBy",)),
)
BY_NAME = {each.type: each for each in TYPES}


def plans(event: str, payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Whom an event is told to, one plan for each type and audience, as `deliver_notifications` takes them."""
    return [
        {"type": t.type, "audience": audience, "in_app": t.in_app, "email": t.email, "required": t.required}
        for t in TYPES
        if t.event == event and not (t.unless and payload.get(t.unless))
        for audience in t.audience
    ]
