"""What webhooks missed: Stripe's own list of events since the last run, then its objects against the mirror.

An event that never arrived goes the way of one that did: into the inbox, and from there to the consumer.
"""

from collections.abc import Callable
from typing import Any

from coachline.database import Database
from coachline.payments import sync
from coachline.payments.stripe_api import asking, client, plain
from coachline.payments.stripe_event_types import EVENT_TYPES

CURSOR = "stripe.events"
SWEEP = "stripe.subscriptions"
PAGE = 100
TYPES_PER_CALL = 20  # Stripe's limit


def catch_up(database: Database, receive: Callable[[dict[str, Any]], None]) -> int:
    """Give `receive` (the inbox) what Stripe's list of events holds since the cursor: how many were listed.

    The cursor moves after each page, when what it holds is stored. Without one, from the oldest that Stripe still has.
    """
    listed = 0
    while True:
        position = database.read("get_cursor", name=CURSOR)
        with asking():
            events = _page(position)
        for event in events:
            if event["type"] in EVENT_TYPES:
                receive(event)
        if events:
            database.write("set_cursor", name=CURSOR, reached=events[-1]["id"])
            listed += len(events)
        if len(events) < PAGE:
            return listed


def _page(position: str | None) -> list[dict[str, Any]]:
    """The next page of events after one, oldest first."""
    if position:
        found = client().v1.events.list({"limit": PAGE, "ending_before": position}).data
        return [plain(event) for event in found][::-1]
    oldest: list[dict[str, Any]] = []
    for event in client().v1.events.list({"limit": PAGE}).auto_paging_iter():
        oldest = [plain(event), *oldest[: PAGE - 1]]
    return oldest


def sweep(database: Database, *, batch: int = 2000) -> dict[str, int]:
    """Mirror every subscription and its latest invoice once more, in bounded runs: how many, and how many had drifted.

    A run goes on where the last one stopped; after the end it begins anew.
    """
    counts = {"subscriptions": 0, "drifted": 0}
    position = database.read("get_cursor", name=SWEEP)
    while counts["subscriptions"] < batch:
        asked: Any = {"limit": PAGE, "status": "all"} | ({"starting_after": position} if position else {})
        with asking():
            found = client().v1.subscriptions.list(asked).data
        for each in found:
            counts["subscriptions"] += 1
            answers = [sync.subscription(database, each.id)]
            if each.latest_invoice:
                answers.append(sync.invoice(database, str(each.latest_invoice)))
            counts["drifted"] += any(answer.get("changed") for answer in answers)
        position = found[-1].id if len(found) == PAGE else None
        database.write("set_cursor", name=SWEEP, reached=position)
        if position is None:
            break
    return counts
