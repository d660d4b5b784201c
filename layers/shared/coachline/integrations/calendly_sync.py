"""The sync with Calendly: what webhooks missed, whether they still come, and when coaches are busy elsewhere.

A run goes through four phases, page by page. Each page is kept together with the cursor of the next, so a run that is
killed goes on where it was, and one that takes long goes on in the next run of the job.
"""

import json
import secrets as randomness
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from coachline import clock
from coachline.database import Database
from coachline.events import PermanentFailure, RetryLater
from coachline.integrations.calendly_account import Account, NotConnected, count
from coachline.integrations.calendly_bookings import EVENT_TYPES, apply_bookings, follow
from coachline.integrations.calendly_payloads import EventType, Invitee, ScheduledEvent, path_of
from coachline.logs import logger
from coachline.problems import Problem, Unavailable
from coachline.providers import Refused
from coachline.settings import calendly_settings

LEASE_SECONDS = 120
BUSY_WEEKS = 8
PAGE = 100
_WEEK = timedelta(days=7)
_CALENDAR_AWAY = 424


def run(database: Database, now: datetime, *, seconds: float, only_coach: str | None = None) -> dict[str, int]:
    """Sync coaches that are due, or one, for about so many seconds: how many syncs ended, stopped and failed.

    `now` is the run's instant. A coach whose Calendly limits our calls is put off until it said; the others go on.
    """
    deadline, counts = time.monotonic() + seconds, {"finished": 0, "stopped": 0, "failed": 0, "steps": 0}
    while time.monotonic() < deadline:
        claimed = database.write("claim_calendly_syncs", batch=1, lease_seconds=LEASE_SECONDS, only_coach=only_coach)
        if not claimed["syncs"]:
            break
        counts[_sync(database, claimed["syncs"][0], now, deadline, counts)] += 1
        if only_coach:
            break
    return counts


def unsubscribe(account: Account, owner: Mapping[str, Any]) -> None:
    """Remove every subscription of ours from a coach's account."""
    for hook in _our_hooks(account, owner):
        _delete_hook(account, hook["uri"])


def _sync(database: Database, sync: dict[str, Any], now: datetime, deadline: float, counts: dict[str, int]) -> str:
    account = Account(database, sync["coach_id"])
    try:
        for _ in _steps(database, account, sync, now):
            counts["steps"] += 1
            if time.monotonic() > deadline:
                database.write("release_calendly_sync", coach_id=account.coach_id, error=None, seconds=0)
                return "stopped"
    except RetryLater as later:
        error, wait, outcome = str(later), later.seconds, "stopped"
    except NotConnected as failure:
        error, wait, outcome = str(failure), 900, "failed"
    except Unavailable:
        raise  # the database is away: the lease runs out
    except (
        PermanentFailure,
        Problem,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as failure:  # whatever it sent
        name = f"{failure.status} {failure.code}" if isinstance(failure, Refused) else type(failure).__name__
        error, wait, outcome = f"The sync stopped: {name}", 900, "failed"
        logger.exception("calendly.sync_failed", coach=account.coach_id)
    else:
        return "finished"
    database.write("release_calendly_sync", coach_id=account.coach_id, error=error, seconds=wait)
    return outcome


def _steps(database: Database, account: Account, sync: dict[str, Any], now: datetime) -> Iterator[None]:
    """Every step of a run from where it stands; each has been kept when it is yielded."""
    coach, cursor = {"coach_id": account.coach_id, "lease_seconds": LEASE_SECONDS}, sync["cursor"]
    phases = ("WEBHOOK", "EVENT_TYPES", "EVENTS", "BUSY")
    for phase in phases[phases.index(sync["phase"]) :]:
        match phase:
            case "WEBHOOK":
                hook = _live_hook(account, sync)
                database.write("keep_calendly_webhook", uri=hook["uri"], state=hook["state"], **coach)
                yield
            case "EVENT_TYPES":
                for rows, next_token in _pages(account, "/event_types", {"user": sync["user_uri"]}, cursor):
                    kept = [EventType.model_validate(row).kept() for row in rows]
                    database.write("keep_calendly_event_types", event_types=kept, cursor=next_token, **coach)
                    yield
            case "EVENTS":
                yield from _events(database, account, sync, cursor)
            case "BUSY":
                yield from _busy(database, account, sync, cursor, now)
        cursor = None


def _events(database: Database, account: Account, sync: dict[str, Any], cursor: str | None) -> Iterator[None]:
    # The list can be cut by start alone, so each run reads all that is to come; invitees only where something is new.
    since, token = json.loads(cursor) if cursor else (_utc(_instant(sync["run_started_at"]) - timedelta(days=2)), None)
    query = {"user": sync["user_uri"], "min_start_time": since, "sort": "start_time:asc"}
    for rows, next_token in _pages(account, "/scheduled_events", query, token):
        events = {event.uri: event for event in map(ScheduledEvent.model_validate, rows)}
        asked = [
            {
                "uri": e.uri,
                "starts_at": _utc(e.start_time),
                "changed_at": _utc(e.updated_at),
                "canceled": e.status == "canceled",
            }
            for e in events.values()
        ]
        for uri in database.read("stale_calendly_events", coach_id=account.coach_id, events=asked):
            seen_at = clock.now()
            for invitees, _ in _pages(account, f"{path_of(uri)}/invitees", {}, None):
                for row in invitees:
                    observed = Invitee.model_validate(row).observed(events[uri], seen_at)
                    apply_bookings(database, account.coach_id, [observed])
            yield
        following = ("EVENTS", json.dumps([since, next_token])) if next_token else ("BUSY", None)
        if not next_token:
            unsettled = database.read("unsettled_calendly_bookings", coach_id=account.coach_id)
            follow(database, unsettled)
        phase, kept = following
        database.write(
            "advance_calendly_sync", coach_id=account.coach_id, phase=phase, cursor=kept, lease_seconds=LEASE_SECONDS
        )
        yield


def _busy(
    database: Database, account: Account, sync: dict[str, Any], cursor: str | None, now: datetime
) -> Iterator[None]:
    first = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=now.weekday())
    end = first + BUSY_WEEKS * _WEEK
    week = max(_instant(cursor), first) if cursor else first
    while week < end:
        start, until = max(week, now), week + _WEEK
        query = {"user": sync["user_uri"], "start_time": _utc(start), "end_time": _utc(until)}
        try:
            answer = account.call("GET", "/user_busy_times", params=query)
        except Refused as refused:
            if refused.status != _CALENDAR_AWAY:
                raise
            # Calendly cannot see the coach's calendar: what we know of it stays, and stays in the way.
            error = "An external calendar cannot be reached by Calendly."
            database.write("release_calendly_sync", coach_id=account.coach_id, error=error, seconds=0, over=True)
            return
        # Calendly's own bookings are known one by one, as sessions or as bookings that could not become any.
        found = [(row["start_time"], row["end_time"]) for row in answer["collection"] if row["type"] == "external"]
        week = until
        database.write(
            "keep_calendly_busy",
            coach_id=account.coach_id,
            from_at=_utc(start),
            to_at=_utc(until),
            intervals=found,
            cursor=_utc(week) if week < end else None,
            lease_seconds=LEASE_SECONDS,
        )
        yield


def _live_hook(account: Account, sync: Mapping[str, Any]) -> dict[str, Any]:
    """The subscription that tells us; a new one is made before a dead one goes, so that none is ever missing."""
    ours = _our_hooks(account, sync)
    wanted = sorted(EVENT_TYPES)
    live = [hook for hook in ours if hook["state"] == "active" and sorted(hook["events"]) == wanted]
    if any(hook["state"] == "disabled" for hook in ours):
        count("WebhookDisabled")
        logger.error("calendly.webhook_disabled", coach=account.coach_id)
    kept = next((hook for hook in live if hook["uri"] == sync["webhook_uri"]), live[0] if live else None)
    if kept is None:
        body = {
            # An address can be subscribed once, also by another coach: each subscription has its own.
            "url": f"{_hook_address()}?hook={randomness.token_urlsafe(12)}",
            "events": wanted,
            "organization": sync["organization_uri"],
            "user": sync["user_uri"],
            "scope": "user",
        }
        kept = account.call("POST", "/webhook_subscriptions", json=body)["resource"]
    for hook in ours:
        if hook["uri"] != kept["uri"]:
            _delete_hook(account, hook["uri"])
    return dict(kept)


def _our_hooks(account: Account, owner: Mapping[str, Any]) -> list[dict[str, Any]]:
    query = {"organization": owner["organization_uri"], "user": owner["user_uri"], "scope": "user"}
    pages = _pages(account, "/webhook_subscriptions", query, None)
    return [hook for rows, _ in pages for hook in rows if hook["callback_url"].startswith(_hook_address())]


def _delete_hook(account: Account, uri: str) -> None:
    try:
        account.call("DELETE", path_of(uri))
    except Refused as refused:
        if refused.status != 404:
            raise


def _hook_address() -> str:
    return f"{calendly_settings().public_url}/webhooks/calendly"


def _pages(
    account: Account, path: str, query: dict[str, Any], token: str | None
) -> Iterator[tuple[list[dict[str, Any]], str | None]]:
    """Each page of a list and the token of the next; by token, so that no address of an answer is ever called."""
    while True:
        params = {**query, "count": PAGE, **({"page_token": token} if token else {})}
        answer = account.call("GET", path, params=params)
        token = answer["pagination"].get("next_page_token")
        yield answer["collection"], token
        if not token:
            return


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
