"""Domain events → what people see in the app, and e-mails (docs/adr/040)."""

from collections.abc import Callable, Mapping
from typing import Any

from coachline.database import Database
from coachline.events import DomainEvent, RetryLater
from coachline.logs import logger
from coachline.notifications import mailer
from coachline.notifications.catalogue import BY_NAME, plans
from coachline.notifications.mailer import Invite, Mailer, NotSent
from coachline.notifications.rendering import letter
from coachline.settings import MailSettings

LEASE_SECONDS = 90  # longer than the function may run, so that no sender is still at it
RETRY_SECONDS = 30

InviteOf = Callable[[Mapping[str, Any]], Invite]


def deliver(database: Database, post: Mailer, settings: MailSettings, event: DomainEvent, invite_of: InviteOf) -> None:
    """Tell everyone whom the event concerns, once; RetryLater as long as an e-mail of it is neither sent nor refused.

    Recorded first, in one transaction with the mark that the event was seen; then sent one by one and marked. What is
    already sent is not sent again, whatever comes again.
    """
    planned = plans(event.type, event.payload)
    if not planned:
        return
    told = database.write(
        "deliver_notifications",
        event_id=event.id,
        payload=dict(event.payload),
        plans=planned,
        lease_seconds=LEASE_SECONDS,
    )
    unsent = sum(not _send(database, post, settings, each, invite_of) for each in told["emails"])
    if unsent:
        raise RetryLater(RETRY_SECONDS, f"{unsent} e-mails were not taken")
    if told["unfinished"]:  # another sender has them, who may die: this message stays as long as they are not marked
        raise RetryLater(LEASE_SECONDS, f"{told['unfinished']} e-mails are being sent", exact=True)


def _send(
    database: Database, post: Mailer, settings: MailSettings, row: Mapping[str, Any], invite_of: InviteOf
) -> bool:
    """Whether nothing is left to do for this e-mail."""
    kind = BY_NAME[row["type"]]
    link = None if kind.required else f"{settings.public_url}/api/notifications/unsubscribe?token={row['token']}"
    invite = invite_of(row["session"]) if kind.invite and row["session"] else None
    words = letter(row, web=settings.web_url, unsubscribe=link)
    mail = mailer.message(words, delivery_id=row["id"], unsubscribe=link, invite=invite)
    try:
        message_id = post.send(row["email"], mail)
    except NotSent as failure:
        outcome = "FAILED" if failure.final else "PENDING"
        # FAILED is for an operator: an alarm watches errors.
        (logger.error if failure.final else logger.warning)("email.not_sent", delivery=row["id"], code=failure.code)
        database.write("finish_email", delivery_id=row["id"], outcome=outcome, error=failure.code)
        return failure.final
    database.write("finish_email", delivery_id=row["id"], outcome="SENT", message_id=message_id)
    logger.info("email.sent", delivery=row["id"], type=row["type"])
    return True
