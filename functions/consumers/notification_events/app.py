"""NotificationEventsQueue: what happened → those whom it concerns, in the app and by e-mail."""

from collections.abc import Mapping
from typing import Any

from coachline.events import DomainEvent, bus_consumer
from coachline.notifications.delivery import deliver
from coachline.notifications.mailer import Invite, Mailer, ses
from coachline.scheduling.invites import calendar_invite, calendar_method
from coachline.service import as_service
from coachline.settings import mail_settings


def invite(session: Mapping[str, Any]) -> Invite:
    return Invite(calendar_method(session), calendar_invite(session))


def handle(event: DomainEvent) -> None:
    settings = mail_settings()
    deliver(as_service(), Mailer(ses(), settings.mail_from), settings, event, invite)


lambda_handler = bus_consumer(handle)
