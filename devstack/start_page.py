"""The page at /: what runs here, where to look, and a sign-in for everyone. Tokens are made on demand; it has none."""

import base64
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from aiohttp import web

from devstack.clock import rfc3339
from devstack.demo_data import PEOPLE

if TYPE_CHECKING:
    from devstack.stack import Stack

HTML = (Path(__file__).with_name("start_page.html")).read_text()
_SCRIPTS = re.findall(r"<script>(.*?)</script>", HTML, re.DOTALL)
_HASHES = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in _SCRIPTS]
_OWN_SCRIPTS = " ".join(f"'sha256-{digest}'" for digest in _HASHES)
HEADERS = {
    "Cache-Control": "no-store",
    # Names and addresses on the page come from whoever signed up: whatever they hold, nothing of it runs.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    f"script-src {_OWN_SCRIPTS}; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
}
LINKS = (
    ("/api/docs", "API documentation", "Every route, to read and to try. Paste a token into Authorize."),
    ("/api/openapi.json", "openapi.json", "The same as an OpenAPI 3.1 document, for programs."),
    ("/api/coach", "Coaches", "The public directory: the one list that needs no token."),
    ("/_dev/emails", "Mails", "What was sent through SES since the start."),
    ("/_dev/events", "Events", "What was published on the bus since the start."),
    ("/_dev/queues", "Queues", "Depths and dead letters, as below."),
    ("/_dev/info", "Addresses and keys", "Of every part: database, Supabase, simulators. All of them work here only."),
    ("/_sim/clerk/_control", "Clerk simulator", "Signs people in. What it answers, and the faults that are set."),
    ("/_sim/zoom/_control", "Zoom simulator", "Holds the meetings of sessions, and tells who comes and goes."),
    ("/_sim/calendly/_control", "Calendly simulator", "Coaches' other calendar; /_people/… are its own pages."),
    ("/_sim/stripe/_control", "Stripe simulator", "Plans, subscriptions and invoices, renewed by the stack's clock."),
)
MOST_OTHERS = 12
USERS = """
select u.id::text, u.email::text, coalesce(nullif(concat_ws(' ', u.first_name, u.last_name), ''), 'Without a name'),
  coalesce((select array_agg(r.role::text order by r.role) from public.user_role r where r.user_id = u.id), '{}')
from public.user_account u where u.deleted_at is null
"""
Sql = Callable[..., Awaitable[list[tuple[Any, ...]]]]


def wanted(request: web.Request) -> bool:
    """Whether this is the start page and no route of the API: the template has none at /."""
    return request.method in ("GET", "HEAD") and request.path == "/"


class StartPage:
    def __init__(self, stack: "Stack", sql: Sql) -> None:
        self._stack = stack
        self._sql = sql

    async def show(self, _: web.Request) -> web.Response:
        stack, page = self._stack, Template(HTML)
        demo = [person["email"] for person in PEOPLE]
        known = await self._sql(f"{USERS} and u.email = any(%(demo)s)", demo=demo)
        newest = f"{USERS} and u.email <> all(%(demo)s) order by u.created_at desc limit {MOST_OTHERS}"
        others = await self._sql(newest, demo=demo)
        by_email = {user[1].lower(): user for user in known}
        coach = next((user for user in [*known, *others] if "COACH" in user[3]), None)
        people = [self._person(by_email[each], coach) if each in by_email else self._absent(each) for each in demo]
        depths = await self._depths()
        text = page.substitute(
            url=stack.url,
            glance=_glance(depths),
            links="".join(_link(*link) for link in LINKS),
            people="".join(people),
            others=_others([self._person(user, coach) for user in others]),
            clock=self._clock(),
            now=stack.clock.now().strftime("%Y-%m-%dT%H:%M:%S"),
            drain=f"To work off everything at once: <code>curl -s -X POST {stack.url}/_dev/drain</code>",
            queues="".join(_row(*depth) for depth in depths),
            logs=escape(str(stack.config.directory / "logs")),
        )
        return web.Response(text=text, content_type="text/html", charset="utf-8", headers=HEADERS)

    def _person(self, user: tuple[Any, ...], coach: tuple[Any, ...] | None) -> str:
        user_id, email, name, roles = user
        url, body = self._stack.url, json.dumps({"userId": user_id})
        token = f"$(curl -s {url}/_dev/token -d '{body}' | jq -r .token)"
        line = f"curl -s '{url}{self._path(roles, coach)}' -H \"Authorization: Bearer {token}\""
        shown = escape(name)
        marks = " ".join(f'<span class="role">{escape(role)}</span>' for role in roles)
        return _card(
            f'<h3>{shown} {marks}</h3><p class="soft">{escape(email)}<br><code>{user_id}</code></p>'
            f"<pre>{escape(line)}</pre>"
            f'<div class="row script">{_button("token", "Copy a token", f"of {shown}")}'
            f'{_button("plain line", "Copy the line", f"for {shown}")}<p role="status"></p></div>',
            f' data-user="{user_id}"',
        )

    def _absent(self, email: str) -> str:
        """A demo person who is not there: the demo data is made once, while nobody is."""
        person = next(person for person in PEOPLE if person["email"] == email)
        line = f"curl -s {self._stack.url}/_dev/users -d '{json.dumps(person)}'"
        name = f"{person['firstName']} {person['lastName']}"
        return _card(
            f"<h3>{name}</h3><p class='soft'>{email} is not in this database. To sign up:</p><pre>{escape(line)}</pre>"
        )

    def _path(self, roles: list[str], coach: tuple[Any, ...] | None) -> str:
        """What a person of these roles would look at first."""
        if "MENTEE" in roles and coach:
            start = self._stack.clock.now().replace(microsecond=0)
            period = f"from={rfc3339(start)}&to={rfc3339(start + timedelta(days=7))}"
            return f"/api/coaching/slots?coachId={coach[0]}&{period}"
        return "/api/sessions?role=COACH" if "COACH" in roles else "/api/user"

    def _clock(self) -> str:
        now = rfc3339(self._stack.clock.now().replace(microsecond=0))
        shown = f'<time datetime="{now}"><strong>{now}</strong></time>'
        return (
            f"The clock is <strong>pinned</strong> at {shown}."
            if self._stack.clock.pinned
            else (f"The clock runs: it was {shown} when this page was made.")
        )

    async def _depths(self) -> list[tuple[str, dict[str, int], int]]:
        """Each queue's name and depths, and how many dead letters it has."""
        depths, dead_letters = await self._stack.aws.depths(), self._stack.template.dead_letters
        return [(name, depths[name], depths[dead]["visible"]) for name, dead in dead_letters.items()]


def _glance(depths: list[tuple[str, dict[str, int], int]]) -> str:
    waiting, dead = sum(sum(depth.values()) for _, depth, _ in depths), sum(dead for *_, dead in depths)
    messages = f"{waiting} message{'s' if waiting != 1 else ''} on its way" if waiting else "nothing on its way"
    letters = f'<strong class="bad">{dead} dead letter{"s" if dead != 1 else ""}</strong>' if dead else "no dead letter"
    return f'Queues: {messages}, {letters} (<a href="#queues">all queues</a>).'


def _row(name: str, depth: dict[str, int], dead: int) -> str:
    cells = "".join(f"<td>{depth[kind]}</td>" for kind in ("visible", "inFlight", "delayed"))
    kind = ' class="bad"' if dead else ""
    return f'<tr><th scope="row">{escape(name)}</th>{cells}<td{kind}>{dead}</td></tr>'


def _card(content: str, attributes: str = "") -> str:
    return f"<li{attributes}>{content}</li>"


def _button(kind: str, text: str, whose: str) -> str:
    return f'<button type="button" class="{kind}" aria-label="{text} {whose}">{text}</button>'


def _link(path: str, name: str, purpose: str) -> str:
    return _card(f'<h3><a href="{path}">{name}</a></h3><p class="soft">{purpose}</p>')


def _others(people: list[str]) -> str:
    if not people:
        return ""
    summary = f"Others who signed up, newest first (at most {MOST_OTHERS})"
    return f'<details><summary>{summary}</summary><ul class="cards people">{"".join(people)}</ul></details>'
