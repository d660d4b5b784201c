"""Events → notifications and e-mails: once for each recipient and channel, whatever is repeated, refused or dies."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import boto3
import pytest
from postgrest import SyncPostgrestClient

from coachline.database import Database, http_client
from coachline.events import DomainEvent, RetryLater
from coachline.notifications import delivery
from coachline.notifications.mailer import Invite, Mailer, NotSent
from coachline.settings import MailSettings
from tests.support.notifications import GONE, as_sent, link_of, mails, part, tell, unfolded
from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, next_weekday, published_coach

SETTINGS = MailSettings("Coachline <notices@coachline.example>", "https://web.example", "https://api.example")


def listed(user: SignedIn, kind: str) -> list[dict[str, Any]]:
    return [each for each in user.get("/api/notifications?limit=100").json()["data"] if each["type"] == kind]


def released(stack: Stack, event_id: str) -> None:
    """The leases of whoever died have run out."""
    with stack.database() as database:
        database.execute(
            "update private.email_delivery set leased_until = now() - interval '1 s' where event_id = %s", [event_id]
        )


def states(stack: Stack, event_id: str) -> list[str]:
    with stack.database() as database:
        rows = database.execute("select state from private.email_delivery where event_id = %s order by 1", [event_id])
        return [row["state"] for row in rows]


def test_a_booking_is_told_to_both_with_an_invitation(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user(first_name="Jordan", last_name="Rivera")
    stack.drain()  # what other tests left to fail
    session = book(mentee, coach, at(next_weekday(weeks=4), "10:00")).json()["data"]
    assert stack.drain()["failed"] == 0
    [mine], [theirs] = listed(mentee, "session_scheduled"), listed(coach, "session_scheduled")
    assert mine["title"].startswith("Booked: Casey Morgan, Mon ")
    assert theirs["title"].startswith("Booked: Jordan Rivera, Mon ")
    assert mine["link"] == f"/sessions/{session['id']}"
    for user in (mentee, coach):
        [mail] = [m for m in mails(stack, user) if m["Subject"].startswith("Booked")]
        assert mail["From"] == "Coachline <notices@coachline.example>"
        assert f"List-Unsubscribe: <{stack.base_url}/api/notifications/unsubscribe?token=" in as_sent(stack, mail)
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert link_of(mail) in part(mail, "text/plain")
        calendar = unfolded(part(mail, "text/calendar"))
        assert f"UID:{session['id']}@coachline" in calendar
        assert "METHOD:REQUEST" in calendar
        [attached] = mail.iter_attachments()
        assert attached.get_filename() == "invite.ics"
    cancelled = mentee.post(f"/api/sessions/{session['id']}/cancel", {"reason": "Ill", "version": session["version"]})
    assert cancelled.status_code == 200, cancelled.text
    stack.drain()
    [gone] = [m for m in mails(stack, coach) if m["Subject"].startswith("Cancelled")]
    assert "METHOD:CANCEL" in part(gone, "text/calendar")
    assert "was cancelled by Jordan Rivera." in part(gone, "text/plain")


def test_twenty_deliveries_of_one_event_at_once_tell_it_once(stack: Stack) -> None:
    user, event_id = stack.user(), str(uuid4())
    payload = {"userId": user.user_id, "role": "COACH", "reason": "Checked"}
    with ThreadPoolExecutor(20) as pool:
        again = list(pool.map(lambda _: tell(stack, "RoleRequestApproved", payload, event_id), range(20)))
    assert len(listed(user, "role_request_approved")) == len(mails(stack, user)) == 1
    assert states(stack, event_id) == ["SENT"]
    assert any(not failures for failures in again)
    assert tell(stack, "RoleRequestApproved", payload, event_id) == []
    assert len(mails(stack, user)) == 1


class Killed(BaseException):
    """As a killed process: nothing catches it."""


class Fate:
    """Counts the steps of a delivery, and kills it before or after one of them."""

    def __init__(self, step: int | None = None, *, after: bool = False) -> None:
        self._left, self._after = step, after

    def __call__(self, work: Callable[[], Any]) -> Any:
        if self._left is None:
            return work()
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Killed
        done = work()
        if self._left < 0:
            raise Killed
        return done


class MortalDatabase(Database):
    def __init__(self, stack: Stack, fate: Fate) -> None:
        headers = {"apikey": stack.info["secretKey"]}
        url = f"{stack.info['supabaseUrl']}/rest/v1"
        super().__init__(SyncPostgrestClient(url, headers=headers, http_client=http_client, retry_enabled=False))
        self._fate = fate

    def write(self, function: str, **arguments: Any) -> Any:
        return self._fate(lambda: super(MortalDatabase, self).write(function, **arguments))


class MortalMailer(Mailer):
    def __init__(self, stack: Stack, fate: Fate, *, refusals: int = 0, final: bool = False) -> None:
        client = boto3.client(
            "sesv2",
            endpoint_url=stack.info["awsEndpointUrl"],
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        super().__init__(client, SETTINGS.mail_from)
        self._fate, self._refusals, self._final = fate, refusals, final

    def send(self, address: str, message: EmailMessage) -> str:
        if self._refusals:
            self._refusals -= 1
            raise NotSent("MessageRejected" if self._final else "TooManyRequestsException", final=self._final)
        sent: str = self._fate(lambda: super(MortalMailer, self).send(address, message))
        return sent


def no_invite(session: Mapping[str, Any]) -> Invite:
    raise AssertionError(f"no invitation was to be made of {session}")


def deliver(stack: Stack, event: DomainEvent, fate: Fate | None = None, **mailer: Any) -> None:
    fate = fate or Fate()
    delivery.deliver(MortalDatabase(stack, fate), MortalMailer(stack, fate, **mailer), SETTINGS, event, no_invite)


def approval(user: SignedIn) -> DomainEvent:
    payload = {"userId": user.user_id, "role": "COACH", "reason": "Checked"}
    return DomainEvent(str(uuid4()), "RoleRequestApproved", datetime(2027, 1, 1, tzinfo=UTC), payload)


# record, send, mark; only after "send" nobody can know whether it was sent (docs/adr/040): then twice, under one id.
@pytest.mark.parametrize(
    ("step", "after", "sent"),
    [(0, False, 1), (0, True, 1), (1, False, 1), (1, True, 2), (2, False, 2), (2, True, 1)],
    ids=["before record", "after record", "before send", "after send", "before mark", "after mark"],
)
def test_a_delivery_killed_between_any_two_steps_and_repeated(stack: Stack, step: int, after: bool, sent: int) -> None:
    user = stack.user()
    event = approval(user)
    with pytest.raises(Killed):
        deliver(stack, event, Fate(step, after=after))
    if states(stack, event.id) == ["PENDING"]:
        with pytest.raises(RetryLater):  # its lease still runs: it may be alive
            deliver(stack, event)
        released(stack, event.id)
    deliver(stack, event)
    deliver(stack, event)
    assert states(stack, event.id) == ["SENT"]
    assert len(listed(user, "role_request_approved")) == 1
    ids = [mail["X-Coachline-Delivery"] for mail in mails(stack, user)]
    assert (len(ids), len(set(ids))) == (sent, 1)


def test_what_ses_did_not_take_is_sent_later_and_once(stack: Stack) -> None:
    user = stack.user()
    event = approval(user)
    for _ in range(2):
        with pytest.raises(RetryLater):
            deliver(stack, event, refusals=1)
    assert (states(stack, event.id), mails(stack, user)) == (["PENDING"], [])
    deliver(stack, event)
    deliver(stack, event)
    assert (states(stack, event.id), len(mails(stack, user))) == (["SENT"], 1)


def test_what_ses_refuses_for_good_is_not_tried_again(stack: Stack) -> None:
    user = stack.user()
    event = approval(user)
    deliver(stack, event, refusals=1, final=True)
    deliver(stack, event)
    assert (states(stack, event.id), mails(stack, user)) == (["FAILED"], [])


def test_a_refused_mail_keeps_nobody_else_from_being_told(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user()
    payload = {"coachId": coach.user_id, "menteeId": mentee.user_id, "start": "2027-03-08T14:00:00Z", "kind": "1h"}
    event = DomainEvent(str(uuid4()), "SessionReminderDue", datetime(2027, 1, 1, tzinfo=UTC), payload)
    with pytest.raises(RetryLater):
        deliver(stack, event, refusals=1)
    assert states(stack, event.id) == ["PENDING", "SENT"]
    deliver(stack, event)
    assert [len(mails(stack, user)) for user in (coach, mentee)] == [1, 1]


def test_the_deleted_are_told_nothing_and_the_suspended_not_by_mail(stack: Stack) -> None:
    gone, suspended, unverified = stack.user(), stack.user(), stack.user()
    with stack.database() as database:
        database.execute(GONE, [gone.user_id])
        database.execute("update user_account set status = 'SUSPENDED' where id = %s", [suspended.user_id])
        database.execute("update user_account set email_verified = false where id = %s", [unverified.user_id])
        for user in (gone, suspended, unverified):
            assert tell(stack, "UserReactivated", {"userId": user.user_id}) == []
            assert mails(stack, user) == []
        counted = database.execute(
            "select user_id::text as id, count(*) as n from notification where user_id = any(%s::uuid[]) group by 1",
            [[gone.user_id, suspended.user_id, unverified.user_id]],
        ).fetchall()
    assert {row["id"]: row["n"] for row in counted} == {suspended.user_id: 1, unverified.user_id: 1}


def test_an_application_is_told_to_every_admin_but_its_author(stack: Stack) -> None:
    admin, author = stack.user("ADMIN"), stack.user("ADMIN")
    tell(stack, "RoleRequested", {"userId": author.user_id, "role": "COACH"})
    assert len(listed(admin, "role_requested")) == 1
    assert listed(author, "role_requested") == []
    assert mails(stack, admin) == []
