"""The booking story, told over HTTP against a running stack: what `make demo` prints."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_string
from email.policy import default
from typing import Any
from uuid import uuid4

import httpx

from devstack.config import Config, StackError
from devstack.demo_data import WEEK

START_SECONDS = 120


def main(config: Config) -> None:
    """Tell the story against the stack on the configured port, or against one that is started and stopped for it."""
    base_url = f"http://127.0.0.1:{config.port}"
    if _is_ready(base_url):
        tell(base_url)
        return
    with _started(config, base_url):
        tell(base_url)


def _is_ready(base_url: str) -> bool:
    try:
        return httpx.get(f"{base_url}/_dev/info").is_success and httpx.get(f"{base_url}/api/health").is_success
    except httpx.TransportError:
        return False


@contextmanager
def _started(config: Config, base_url: str) -> Iterator[None]:
    log = config.directory / "logs" / "stack.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f"No stack runs at {base_url}: starting one for the story (its log: {log}).", flush=True)
    with log.open("wb") as output:
        command = [sys.executable, "-m", "devstack", "serve"]
        stack = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _is_ready(base_url):
            if stack.poll() is not None or time.monotonic() > deadline:
                raise StackError(f"The stack did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield
    finally:
        stack.send_signal(signal.SIGTERM)
        stack.wait(30)


class Story:
    """Sends each request, prints it with its answer's status, and stops at the first that is not as told."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=30)
        self._step = 0

    def tell(self, line: str) -> None:
        self._step += 1
        print(f"\n{self._step:2}. {line}")

    def sign_up(self, first_name: str, *roles: str) -> dict[str, Any]:
        email = f"{first_name.lower()}.{uuid4().hex[:8]}@example.com"
        person = {"email": email, "firstName": first_name, "lastName": "Demo", "roles": roles}
        return {**self.send("POST", "/_dev/users", body=person), "email": email}

    def settle_in(self, person: dict[str, Any], timezone: str) -> None:
        """Say in which zone somebody wants to read times."""
        version = self.send("GET", "/api/user", token=person["token"])["data"]["version"]
        self.send("PATCH", "/api/user", token=person["token"], body={"timezone": timezone, "version": version})

    def send(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Any = None,
        expect: int = 200,
        key: str | None = None,
        **query: Any,
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        answer = self._http.request(method, path, json=body, params=query or None, headers=headers)
        print(f"    {method} {answer.request.url.raw_path.decode()} -> {answer.status_code}")
        document: dict[str, Any] = answer.json() if answer.content else {}
        if answer.status_code != expect:
            sys.exit(f"    expected {expect}, and was answered: {answer.text}")
        return document

    def pay(self, client_secret: str, method: str, *, expect: int = 200) -> None:
        """What Stripe.js does in the browser, with a publishable key."""
        path = f"/_sim/stripe/v1/payment_intents/{client_secret.split('_secret_', maxsplit=1)[0]}/confirm"
        form = {"client_secret": client_secret, "payment_method": method}
        answer = self._http.post(path, data=form, headers={"Authorization": "Bearer pk_test_local"})
        print(f"    POST {path} ({method}) -> {answer.status_code}")
        if answer.status_code != expect:
            sys.exit(f"    expected {expect}, and was answered: {answer.text}")

    def say(self, line: str) -> None:
        print(f"    {line}")


def tell(base_url: str) -> None:
    """Run the story. Ends the program with a message when a step is answered otherwise than told."""
    story = Story(base_url)
    coach = _coach(story)
    mia, query, slots = _search(story, coach)
    booking, session = _booked(story, mia, coach, slots)
    _paid(story, mia, coach, session)

    story.tell("Noah wants the same hour and is told that it is gone; Mia's session is none of his business.")
    noah = story.sign_up("Noah", "MENTEE")
    taken = story.send("POST", "/api/sessions", token=noah["token"], body=booking, key=uuid4().hex, expect=409)
    story.say(f"{taken['code']}: {taken['detail']}")
    story.send("GET", f"/api/sessions/{session['id']}", token=noah["token"], expect=404)

    story.tell("Casey sees who is coming.")
    mine = story.send("GET", "/api/sessions", token=coach["token"], role="COACH")["data"]
    story.say(f"{len(mine)} session, with {mine[0]['menteeName']}")

    story.tell("Mia cancels, and the hour is free again.")
    cancelled = {"reason": "A viewing came up"}
    story.send("POST", f"/api/sessions/{session['id']}/cancel", token=mia["token"], body=cancelled)
    free = story.send("GET", "/api/coaching/slots", token=noah["token"], **query)["data"]
    story.say("free again" if booking["start"] in {slot["start"] for slot in free} else sys.exit("    still taken"))

    story.tell("What the system told the rest of itself, and what it wrote to the two.")
    story.send("POST", "/_dev/drain")
    for event in story.send("GET", "/_dev/events")["events"]:
        if session["id"] in str(event) or session["paymentId"] in str(event):
            story.say(f"event {event['detail-type']}")
    for mail in story.send("GET", "/_dev/emails")["emails"]:
        message = message_from_string(mail.get("raw_data", ""), policy=default)
        if message["To"] in (coach["email"], mia["email"]):
            story.say(f"mail to {message['To'].split('.')[0].title()}: {message['Subject']}")
    print("\nThat is the whole story: booked once, paid once, and seen by those two alone.")


def _coach(story: Story) -> dict[str, Any]:
    story.tell("Casey signs up as a coach in New York and describes herself.")
    coach = story.sign_up("Casey", "COACH")
    story.settle_in(coach, "America/New_York")
    profile = {
        "bio": "Twenty years of listings in New York: pricing, staging and the talk that wins the mandate.",
        "specialties": ["Listings"],
        "hourlyRate": {"amount": 15000, "currency": "USD"},
    }
    made = story.send("POST", "/api/coach/profile", token=coach["token"], body=profile, expect=201)["data"]

    story.tell("She is paid by Stripe: it leads her through its onboarding, and tells us of it. Now she can publish.")
    back = {"returnUrl": "https://app.example.com/payouts", "refreshUrl": "https://app.example.com/payouts"}
    story.send("POST", "/api/coach/payouts/onboarding", token=coach["token"], body=back)
    story.send("POST", "/_sim/stripe/_control", body={"onboard": {"coachId": coach["userId"], "ready": True}})
    story.send("POST", "/_dev/drain")
    account = story.send("GET", "/api/coach/payouts", token=coach["token"])["data"]
    story.say(f"her account is {account['status']}")
    publish = {"status": "PUBLISHED", "version": made["version"]}
    story.send("PATCH", "/api/coach/profile", token=coach["token"], body=publish)

    story.tell("She opens Monday to Friday, 9 to 5 in New York, with 15 minutes around each session.")
    weekly = [{"day": day, "intervals": [{"from": "09:00", "to": "17:00"}]} for day in WEEK]
    schedule = {"name": "Office hours", "timezone": "America/New_York", "isDefault": True, "weekly": weekly}
    story.send("POST", "/api/coaching/availability", token=coach["token"], body=schedule, expect=201)
    return coach


def _search(story: Story, coach: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    story.tell("Mia, a mentee in London, looks for a free hour next week.")
    mia = story.sign_up("Mia", "MENTEE")
    story.settle_in(mia, "Europe/London")
    start = datetime.now(UTC).replace(microsecond=0, second=0, minute=0) + timedelta(days=7)
    query: dict[str, Any] = {
        "coachId": coach["userId"],
        "from": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{start + timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}",
        "duration": 60,
        "timezone": "Europe/London",
    }
    slots = story.send("GET", "/api/coaching/slots", token=mia["token"], **query)
    chosen = slots["data"][0]
    story.say(f"{len(slots['data'])} slots; the first is {chosen['localStart']}, for {_money(slots['price'])}")
    return mia, query, slots


def _booked(
    story: Story, mia: dict[str, Any], coach: dict[str, Any], slots: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    chosen = slots["data"][0]
    story.tell("She books it, and her phone sends the request twice: one session, the same answer.")
    booking = {"coachId": coach["userId"], "start": chosen["start"], "duration": 60, "expectedPrice": slots["price"]}
    key = uuid4().hex
    session = story.send("POST", "/api/sessions", token=mia["token"], body=booking, key=key, expect=201)["data"]
    again = story.send("POST", "/api/sessions", token=mia["token"], body=booking, key=key, expect=201)["data"]
    story.say(f"{session['status']} until {session['holdExpiresAt']}, {_money(session['price'])} are due")
    if again != session:
        sys.exit("    the second answer was another one")
    return booking, session


def _paid(story: Story, mia: dict[str, Any], coach: dict[str, Any], session: dict[str, Any]) -> None:
    story.tell("Her first card is declined, and the hour stays hers. Her second pays, as in a browser.")
    story.pay(session["clientSecret"], "pm_card_chargeDeclined", expect=402)
    story.pay(session["clientSecret"], "pm_card_visa")
    story.send("POST", "/_dev/drain")
    paid = story.send("GET", f"/api/payments/{session['paymentId']}", token=mia["token"])["data"]
    mine = story.send("GET", f"/api/sessions/{session['id']}", token=mia["token"])["data"]
    story.say(f"the payment is {paid['status']} with {_money(paid['paid'])}, the session {mine['status']}")
    shown = story.send("GET", f"/api/payments/{session['paymentId']}", token=coach["token"])["data"]
    share = {"amount": shown["amount"]["amount"] - shown["fee"]["amount"], "currency": shown["amount"]["currency"]}
    story.say(f"Casey gets {_money(share)}, the platform keeps {_money(shown['fee'])}")


def _money(price: dict[str, Any]) -> str:
    return f"{price['amount'] / 100:.2f} {price['currency']}"
