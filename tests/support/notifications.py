"""Events as the bus brings them to the consumer of notifications, one of each type, and what comes of them."""

import email
import json
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import uuid4

import httpx

from coachline.notifications.catalogue import NotificationType
from tests.support.stack import SignedIn, Stack

COACH, MENTEE, USER = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123")
SESSION_ID = "7f1c7b8e-2a4d-4e0b-9c55-3f7a9d21e6b0"
SESSION = {
    "sessionId": SESSION_ID,
    "coachId": COACH,
    "menteeId": MENTEE,
    "start": "2027-03-08T14:00:00+00:00",
    "end": "2027-03-08T15:00:00+00:00",
    "price": {"amount": 15000, "currency": "USD"},
    "actor": "MENTEE",
    "version": 2,
}
GONE = """update user_account set email = null, email_verified = false, first_name = null, last_name = null,
          status = 'INACTIVE', deleted_at = now() where id = %s"""
REFUND = {"refund": {"percent": 50, "amount": {"amount": 7500, "currency": "USD"}}}
NAMES = {"coach": "Casey Morgan", "mentee": "Jordan Rivera", "user": "Jordan Rivera"}
REVIEW = {"reviewId": SESSION_ID, "sessionId": SESSION_ID, "coachId": COACH, "menteeId": MENTEE, "rating": 5}
ROLES = {"before": ["MENTEE"], "after": ["COACH", "MENTEE"]}
IMPORT = {"importId": SESSION_ID, "createdBy": USER, "status": "COMPLETED", "created": 120, "updated": 4, "invalid": 1}
BOOKING = {"coachId": COACH, "start": SESSION["start"], "end": SESSION["end"], "sessionId": None, "flags": []}
GOAL = {
    "goalId": SESSION_ID,
    "userId": USER,
    "type": "LISTINGS",
    "title": "Ten listings in Hudson Valley",
    "value": 6.00,
    "target": 10.00,
    "unit": "listings",
    "deadline": "2027-03-12",
}
ACHIEVEMENT = {
    "grantId": SESSION_ID,
    "userId": USER,
    "code": "busy_month",
    "title": "A busy month",
    "description": "Took four sessions within a calendar month.",
    "type": "LEARNING",
    "period": "2027-03",
    "earnedAt": "2027-03-08T15:00:00+00:00",
}
REFERRAL = {
    "referralId": SESSION_ID,
    "userId": USER,
    "side": "REFERRER",
    "status": "REWARDED",
    "reward": {"amount": 2500, "currency": "USD"},
}
GIVEN_BACK = {
    "paymentId": SESSION_ID,
    "sessionId": SESSION_ID,
    "menteeId": MENTEE,
    "coachId": COACH,
    "amount": {"amount": 10000, "currency": "USD"},
    "credit": {"amount": 5000, "currency": "USD"},
}
DISPUTE = {
    "disputeId": SESSION_ID,
    "menteeId": MENTEE,
    "coachId": COACH,
    "disputeKind": "CHARGEBACK",
    "disputeStatus": "NEEDS_RESPONSE",
    "disputeReason": "product_not_received",
    "amount": {"amount": 15000, "currency": "USD"},
    "dueBy": "2027-03-20T23:59:59Z",
}
PAYLOADS: dict[str, dict[str, Any]] = {
    "SessionScheduled": SESSION,
    "SessionRescheduled": SESSION | {"previousStart": "2027-03-05T19:30:00+00:00"},
    "SessionCancelled": SESSION | REFUND | {"actor": "COACH"},
    "SessionExpired": SESSION,
    "SessionReminderDue": SESSION | {"kind": "24h", "actor": "SYSTEM"},
    "SessionCompleted": SESSION,
    "SessionNoShow": SESSION | REFUND | {"noShowBy": "COACH"},
    "MeetingReady": SESSION,
    "MeetingFailed": SESSION,
    "ReviewPosted": REVIEW,
    "CalendlyBookingClashed": {"coachId": COACH, "start": SESSION["start"], "detail": "time"},
    "CalendlyGuestBooked": BOOKING,
    "CalendlyBookingMismatched": BOOKING | {"detail": "duration"},
    "CalendlyBookingFlagged": BOOKING | {"sessionId": SESSION_ID, "flags": ["daily_cap"]},
    "GoalReminderDue": GOAL | {"days": 3},
    "GoalOverdue": GOAL,
    "GoalCompleted": GOAL | {"value": 10.00},
    "GoalMilestoneReached": GOAL | {"milestone": 5.00},
    "GoalShared": {"goalId": SESSION_ID, "userId": USER, "coachIds": [COACH]},
    "AchievementGranted": ACHIEVEMENT,
    "AchievementRevoked": ACHIEVEMENT,
    "CalendlyReconnectRequired": {"coachId": COACH},
    "TrialEnding": {"userId": USER, "subscriptionId": SESSION_ID, "endsAt": "2027-03-12T05:00:00+00:00"},
    "RefundSucceeded": GIVEN_BACK,
    "RefundFailed": GIVEN_BACK | {"failureReason": "expired_or_canceled_card"},
    "DisputeOpened": DISPUTE,
    "DisputeDeadlineNear": DISPUTE | {"kind": "1d"},
    "DisputeClosed": DISPUTE | {"disputeStatus": "LOST"},
    "PaymentReturned": {
        "menteeId": MENTEE,
        "coachId": COACH,
        "sessionId": SESSION_ID,
        "amount": {"amount": 15000, "currency": "USD"},
        "failureCode": "insufficient_funds",
        "dueBy": "2027-03-11T15:00:00+00:00",
    },
    "PaymentFailed": {
        "userId": USER,
        "attempt": 1,
        "nextAttempt": "2027-03-11T15:00:00+00:00",
        "amountDue": {"amount": 9900, "currency": "USD"},
    },
    "InvoiceOverdue": {
        "userId": USER,
        "invoiceId": SESSION_ID,
        "number": "C1A2B3C4-0001",
        "dueAt": "2027-03-11T15:00:00+00:00",
        "amountDue": {"amount": 22500, "currency": "USD"},
    },
    "SessionInvoiceFailed": {
        "invoiceId": SESSION_ID,
        "menteeId": MENTEE,
        "coachId": COACH,
        "reason": "payment_refused",
    },
    "CardExpiring": {"userId": USER, "month": 3, "year": 2027},
    "SubscriptionStatusChanged": {"userId": USER, "before": "ACTIVE", "after": "PAST_DUE"},
    "PayoutsReady": {"coachId": COACH, "reason": None},
    "PayoutsRestricted": {"coachId": COACH, "reason": "requirements.past_due"},
    "RoleRequested": {"userId": USER, "role": "COACH"},
    "RoleRequestApproved": {"userId": USER, "role": "COACH", "reason": "Licence and references checked"},
    "RoleRequestRejected": {"userId": USER, "role": "COACH", "reason": "The licence has expired"},
    "UserRolesChanged": {"userId": USER, "reason": "Agreed by phone", **ROLES},
    "UserReactivated": {"userId": USER, "reason": "Identity confirmed"},
    "ReferralRewarded": REFERRAL,
    "ReferralRejected": REFERRAL | {"status": "REJECTED"},
    "ReferralClawedBack": REFERRAL | {"status": "REJECTED"},
    "ReferralFlagged": {"referralId": SESSION_ID, "flags": ["SAME_CARD", "SAME_PHONE"]},
    "MemberImportFinished": IMPORT,
}


def row(kind: NotificationType, **changes: Any) -> dict[str, Any]:
    """An e-mail to be sent, as `deliver_notifications` hands it out, to the last of the type's audience."""
    payload = PAYLOADS[kind.event]
    return {
        "id": "5c0b1f0e-6f0f-4f4e-9d55-5a1c1f2f9a10",
        "type": kind.type,
        "payload": payload,
        "names": NAMES,
        "user_id": payload.get(kind.audience[-1], USER),
        "timezone": "America/New_York",
        "locale": "en-US",
    } | changes


def brought(event_id: str, kind: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """What the queue brings for one event."""
    detail = {"eventId": event_id, "occurredAt": "2027-01-01T00:00:00+00:00", **payload}
    record = {
        "messageId": "1",
        "receiptHandle": "x",
        "body": json.dumps({"detail-type": kind, "source": "coachline", "detail": detail}),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:NotificationEventsQueue",
    }
    return {"Records": [record]}


def tell(stack: Stack, kind: str, payload: Mapping[str, Any], event_id: str | None = None) -> list[str]:
    """Bring one event to the consumer; which messages it wants again."""
    event = brought(event_id or str(uuid4()), kind, payload)
    answer = stack.http.post("/_dev/invoke/notification_events", json=event).json()
    return [failure["itemIdentifier"] for failure in answer["result"]["batchItemFailures"]]


def told(stack: Stack, user: SignedIn, *, choosing: bool = False) -> str:
    """The id of a notification that the user has been given; `choosing`: he has a preference, too."""
    assert not choosing or choose(user, "session_reminder", version=0).status_code == 200
    with stack.database() as database:
        made = database.execute(
            """insert into notification (user_id, event_id, type, payload)
               values (%s, gen_random_uuid(), 'account_reactivated', '{}') returning id""",
            [user.user_id],
        ).fetchone()
    assert made is not None
    return str(made["id"])


def choose(user: SignedIn, kind: str, *, version: int, in_app: bool = True, email: bool = False) -> httpx.Response:
    """The user's one choice, by which he gets this type in the app alone unless it says otherwise."""
    choice = {"type": kind, "inApp": in_app, "email": email}
    return user.put("/api/notifications/preferences", {"types": [choice], "version": version})


def address_of(stack: Stack, user: SignedIn) -> str:
    with stack.database() as database:
        found = database.execute("select email::text as it from user_account where id = %s", [user.user_id]).fetchone()
    assert found is not None
    return str(found["it"])


def mails(stack: Stack, user: SignedIn) -> list[EmailMessage]:
    """What was sent to a user, oldest first."""
    return [email.message_from_string(each, policy=default) for each in _raw(stack, address_of(stack, user))]


def as_sent(stack: Stack, message: EmailMessage) -> str:
    """The bytes that SES was given."""
    return next(each for each in _raw(stack, message["To"]) if message["X-Coachline-Delivery"] in each)


def _raw(stack: Stack, address: str) -> list[str]:
    sent = stack.http.get("/_dev/emails", params={"to": address}).raise_for_status().json()["emails"]
    return [each["raw_data"] for each in sent]


def part(message: EmailMessage, kind: str) -> str:
    """The text of a message's first part of that type."""
    for each in message.walk():
        if each.get_content_type() == kind:
            content = each.get_content()
            return content.decode() if isinstance(content, bytes) else str(content)
    raise AssertionError(f"no part is {kind}")


def unfolded(calendar: str) -> str:
    """iCalendar's lines, put together again."""
    return calendar.replace("\r\n ", "").replace("\n ", "")


def link_of(message: EmailMessage) -> str:
    """The unsubscribe link's path and query."""
    return "/api/" + str(message["List-Unsubscribe"]).strip("<>").split("/api/", 1)[1]


def writes(world: Any) -> list[tuple[str, str, SignedIn, dict[str, Any]]]:
    """The write routes of notifications, ready to succeed, for tests/support/hostile.py."""
    choice = {"type": "session_reminder", "inApp": True, "email": False}
    return [
        ("POST", "/api/notifications/{id}/read", world.mentee, {}),
        ("POST", "/api/notifications/read-all", world.mentee, {}),
        ("PUT", "/api/notifications/preferences", world.mentee, {"types": [choice], "version": 0}),
    ]
