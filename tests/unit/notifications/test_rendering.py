"""The words of every type, in the app, as text and as HTML."""

import re
from html.parser import HTMLParser

import pytest

from coachline.notifications.catalogue import BY_NAME, CHANNELS, TYPES, NotificationType, plans
from coachline.notifications.mailer import Invite, message
from coachline.notifications.rendering import in_app, letter
from coachline.notifications.texts import TEXTS
from coachline.notifications.values import moment, money, plain, values_of
from tests.contract.template_file import ROOT, resources
from tests.support.notifications import NAMES, PAYLOADS, row

WEB, LINK = "https://web.example", "https://api.example/api/notifications/unsubscribe?token=x&y"
VOID = {"meta", "br"}
NO_EVENTS = {"MemberKey", "MemberStateLicense", "RateLimit"}
# Why nobody is told of an event.
UNTOLD = {
    "CalendlyConnected": "by him who would be told",
    "CalendlyDisconnected": "by him who would be told",
    "CoachProfile": "by him who would be told, as each of its statuses is",
    "GoalExtended": "by him who would be told",
    "GoalReopened": "by an entry or a change of him who would be told",
    "MeetingEnded": "they were there",
    "MeetingRequested": "MeetingReady or MeetingFailed is",
    "PaymentCanceled": "SessionExpired or SessionCancelled is",
    "PaymentCompleted": "SessionScheduled is, and Stripe sends the receipt",
    "PaymentDeclined": "whoever pays sees it at once; for a bank that says no days later PaymentReturned is",
    "ReferralExpired": "nothing had been promised",
    "ReferralQualified": "ReferralRewarded is, once there is something to have",
    "ReferralRedeemed": "by him who would be told; the owner of the code sees it in his list",
    "ReferralUnqualified": "nothing had been given yet",
    "RoleRequestWithdrawn": "by him who would be told",
    "SessionHeld": "the answer to the booking says it",
    "SessionStarted": "SessionReminderDue came before",
    "StripeCommandWaiting": "it is work, and what comes of it is told",
    "UserCreated": "Clerk has welcomed him",
    "UserDeleted": "nobody is left to be told",
    "UserSuspended": "he gets no e-mail, and every answer tells him",
}


class Page(HTMLParser):
    """Collects the tags, checks that they are closed, and what of it is text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


def test_every_type_has_words_a_sample_and_its_event_in_the_rule() -> None:
    assert TEXTS.keys() == {kind.type for kind in TYPES}
    assert len(TEXTS) == len(TYPES)
    assert {kind.event for kind in TYPES} == PAYLOADS.keys()
    pattern = resources("AWS::Events::Rule")["NotificationEventsRule"]["EventPattern"]
    assert set(pattern["detail-type"]) == PAYLOADS.keys()


def test_every_event_is_emitted_somewhere() -> None:
    sql = "\n".join(path.read_text() for path in (ROOT / "prisma/sql/functions").rglob("*.sql"))
    assert [event for event in PAYLOADS if f"'{event}'" not in sql] == []


def test_every_event_is_told_to_somebody_or_says_why_not() -> None:
    """Each literal of prisma/sql/functions that is named like an event. One that nobody needs to be told: UNTOLD."""
    emitted = {
        name
        for path in (ROOT / "prisma/sql/functions").rglob("*.sql")
        for line in path.read_text().splitlines()
        if not line.lstrip().startswith("--")
        for name in re.findall(r"'((?:[A-Z][a-z]+){2,})'", line)
    }
    told = {kind.event for kind in TYPES}
    assert emitted - NO_EVENTS - told - UNTOLD.keys() == set(), "neither in catalogue.TYPES nor in UNTOLD"
    assert UNTOLD.keys() - (emitted - told) == set(), "in UNTOLD, and told or emitted nowhere"


def test_numbers_of_a_goal_are_in_its_unit() -> None:
    def progress(**changes: object) -> str:
        payload = PAYLOADS["GoalCompleted"] | changes
        return values_of(payload, NAMES, reader="x", timezone="UTC", locale="en-GB")["progress"]

    assert progress(value=1200.5, target=2000.0, unit="calls", type="CUSTOM") == "1,200.5 of 2,000 calls"
    assert progress(value=0.0, target=500000.0, unit="USD", type="REVENUE") == "0.00 of 5,000.00 USD"
    assert progress(value=1500, target=500000, unit="JPY", type="REVENUE") == "1,500 of 500,000 JPY"
    assert progress(value=-2.25, target=10, unit="USD", type="CUSTOM") == "-2.25 of 10 USD"


def test_one_of_something_is_not_written_as_many() -> None:
    one = {"value": 0, "target": 1, "unit": "sessions", "type": "SESSIONS", "milestone": 1}
    found = values_of(one, NAMES, reader="x", timezone="UTC", locale="en-GB")
    assert (found["progress"], found["milestone"]) == ("0 of 1 session", "1 session")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "have been imported"),
        ({"status": "REFUSED"}, "was not imported"),
        ({"dryRun": True}, "Nothing was imported, as you had asked"),
    ],
)
def test_what_became_of_an_import_is_said(changes: dict[str, object], said: str) -> None:
    kind = BY_NAME["member_import_finished"]
    assert said in in_app(row(kind, payload=PAYLOADS[kind.event] | changes))["body"]


def test_how_a_dispute_ended_is_said_in_words() -> None:
    kind = BY_NAME["dispute_closed"]
    ended = {"disputeStatus": "WARNING_CLOSED"}
    assert "closed, and nothing was taken" in in_app(row(kind, payload=PAYLOADS[kind.event] | ended))["title"]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.type)
def test_a_type_reads_the_same_everywhere(kind: NotificationType) -> None:
    sample = row(kind)
    words, shown = letter(sample, web=WEB, unsubscribe=LINK), in_app(sample)
    page = Page(words.html)
    assert page.open == []
    assert not {"img", "script", "link", "iframe"} & set(page.tags)
    assert "url(" not in words.html
    assert "src" not in dict(page.attributes)
    assert ("lang", "en") in page.attributes
    assert (words.subject, shown["title"]) == (shown["title"], words.subject)
    assert shown["body"] in page.text
    assert shown["body"] in words.text
    for text in (words.subject, words.text, page.text, shown["body"]):
        assert not re.search(r"[{}]|None|null|  +[a-z]", text), text
    hrefs = [value for name, value in page.attributes if name == "href"]
    assert hrefs == ([WEB + shown["link"]] if shown["link"] else []) + [LINK]
    assert all(href in words.text for href in hrefs if href)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.type)
def test_a_type_whose_event_says_nothing_is_still_told(kind: NotificationType) -> None:
    bare = row(kind, payload={}, names={"coach": None, "mentee": None, "user": None})
    assert letter(bare, web=WEB, unsubscribe=None).text
    assert in_app(bare)["title"]


def test_what_a_plan_has_paid_is_no_money_that_goes_back() -> None:
    [kind] = [each for each in TYPES if each.type == "refund_made"]
    sample = row(kind, payload=PAYLOADS["RefundSucceeded"] | {"included": True})
    text = letter(sample, web=WEB, unsubscribe=None).text
    assert "Your plan: gets the session back" in text
    assert "USD" not in text
    assert "Your plan" not in letter(row(kind), web=WEB, unsubscribe=None).text


def test_a_name_can_add_no_markup_no_header_and_no_direction() -> None:
    kind = TYPES[0]
    names = NAMES | {"coach": "<script>alert(1)</script>\r\nBcc: x@example.com \u202egnp.exe\x00"}
    words = letter(row(kind, names=names), web=WEB, unsubscribe=LINK)
    assert "<script>" not in words.html
    mail = message(words, delivery_id="1", unsubscribe=LINK, invite=Invite("REQUEST", "BEGIN:VCALENDAR\r\n"))
    assert "\u202e" not in words.html + words.subject
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("Booked: <script>")
    assert [part.get_content_type() for part in mail.walk()] == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/calendar", "application/ics")
    ]
    assert len(plain("x" * 5000)) == 300


@pytest.mark.parametrize(
    ("zone", "locale", "long", "short"),
    [
        (
            "America/New_York",
            "en-US",
            "Sunday, March 14, 2027, 3:30 AM EDT ({})",
            "Sun Mar 14, 3:30 AM EDT",
        ),
        ("Europe/London", "en-GB", "Sunday, 14 March 2027, 07:30 GMT ({})", "Sun 14 Mar, 07:30 GMT"),
        (
            "Asia/Kathmandu",
            "de-DE",
            "Sunday, 14 March 2027, 13:15 UTC+05:45 ({})",
            "Sun 14 Mar, 13:15 UTC+05:45",
        ),
        ("Nowhere/Land", "x", "Sunday, 14 March 2027, 07:30 UTC ({})", "Sun 14 Mar, 07:30 UTC"),
    ],
)
def test_a_moment_is_the_reader_s_own(zone: str, locale: str, long: str, short: str) -> None:
    at = "2027-03-14T07:30:00+00:00"
    assert (moment(at, zone, locale), moment(at, zone, locale, short=True)) == (long.format(zone), short)


def test_money_is_in_its_own_units() -> None:
    assert money({"amount": 150050, "currency": "USD"}) == "1,500.50 USD"
    assert money({"amount": 1500, "currency": "JPY"}) == "1,500 JPY"
    assert money({"amount": 0, "currency": "USD"}) == money(None) == ""


def test_what_another_type_tells_is_not_told_twice() -> None:
    payload = PAYLOADS["UserRolesChanged"]
    assert [plan["type"] for plan in plans("UserRolesChanged", payload)] == ["roles_changed"]
    assert plans("UserRolesChanged", payload | {"roleRequestId": "x"}) == []
    assert plans("NobodyTells", {}) == []
    assert all(any(getattr(kind, channel) for channel in CHANNELS) for kind in TYPES)
