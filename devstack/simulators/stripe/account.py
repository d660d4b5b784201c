"""What the parts of the simulated account share: its objects, its time, and the events that its changes cause."""

import json
import secrets
import string
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import stripe

from devstack.simulators.base import Store
from devstack.simulators.stripe.shapes import Row, StripeError, blank, missing

API_VERSION = "2026-10-28.endive"
EVENT_SECONDS = 30 * 86_400
PREFIXES = {
    "product": "prod",
    "price": "price",
    "customer": "cus",
    "payment_method": "pm",
    "setup_intent": "seti",
    "payment_intent": "pi",
    "charge": "ch",
    "balance_transaction": "txn",
    "transfer": "tr",
    "application_fee": "fee",
    "refund": "re",
    "dispute": "du",
    "transfer_reversal": "trr",
    "fee_refund": "fr",
    "subscription": "sub",
    "subscription_item": "si",
    "invoice": "in",
    "line_item": "il",
    "invoiceitem": "ii",
    "invoice_payment": "inpay",
    "mandate": "mandate",
    "account": "acct",
    "payout": "po",
    "event": "evt",
    "billing_portal.session": "bps",
}
_ALPHABET = string.ascii_letters + string.digits


class Account:
    """Rows by kind and id. `now` is the instant, in Unix seconds, at which whatever happens is happening."""

    def __init__(self, store: Store, publish: Callable[[Row], None]) -> None:
        self.store = store
        self.now = 0
        self.request: Row = {"id": None, "idempotency_key": None}
        self._publish = publish

    def new(self, declared: type, kind: str, **values: Any) -> Row:
        """A new object of the SDK's class, with an id if `values` has none; it is not kept until `put`."""
        row = blank(declared, object=kind, **values | {"id": values.get("id") or self.make_id(kind)})
        return row | {"created": self.now} if "created" in row else row

    def make_id(self, kind: str) -> str:
        return f"{PREFIXES[kind]}_{self.random(24)}"

    def random(self, length: int) -> str:
        return "".join(secrets.choice(_ALPHABET) for _ in range(length))

    def get(self, kind: str, name: str, parameter: str = "id") -> Row:
        """A copy of an object, to be changed and `put` again; StripeError when there is none."""
        row = self.store.get(kind, name)
        if row is None:
            error = missing(kind, name)
            error.body["error"]["param"] = parameter
            raise error
        return deepcopy(row)

    def find(self, kind: str, **members: Any) -> list[Row]:
        """Copies of the objects with these members, oldest first."""
        wanted = members.items()
        return [deepcopy(row) for row in self.store.all(kind) if all(row.get(name) == value for name, value in wanted)]

    def put(self, kind: str, row: Row, event: str | None = None, **extra: Any) -> Row:
        """Keep an object, and tell of it: with what it was before, when the event is an update."""
        before = self.store.get(kind, row["id"])
        row = deepcopy(row)
        self.store.put(kind, row["id"], row)
        if event:
            self.emit(event, row, before if event.endswith((".updated", ".detached")) else None, **extra)
        return deepcopy(row)

    def emit(self, kind: str, row: Row, before: Row | None = None, *, account: str | None = None) -> None:
        """An event about an object as it is now."""
        data: Row = {"object": deepcopy(row)}
        if before is not None:
            data["previous_attributes"] = changed(before, row)
            if kind.endswith(".updated") and not data["previous_attributes"]:
                return
        event = blank(
            stripe.Event,
            id=self.make_id("event"),
            object="event",
            api_version=API_VERSION,
            created=self.now,
            type=kind,
            pending_webhooks=1,
        )
        event |= {"data": data, "request": dict(self.request)}
        if account:
            event["account"] = account
        else:
            event.pop("account")
        self.store.put("event", event["id"], event)
        self._publish(event)

    def forget_old_events(self) -> None:
        for event in self.store.all("event"):
            if event["created"] < self.now - EVENT_SECONDS:
                self.store.delete("event", event["id"])


def changed(before: Row, after: Row) -> Row:
    """The members that differ, as they were."""
    return {name: value for name, value in before.items() if after.get(name) != value}


def page(rows: Iterable[Row], parameters: Row, url: str) -> Row:
    """A list as Stripe pages it: newest first, `limit`, `starting_after`, `ending_before`."""
    limit = parameters.get("limit", 10)
    if not 1 <= limit <= 100:
        raise StripeError("Invalid integer: limit must be between 1 and 100", param="limit")
    ordered = list(rows)[::-1]
    names = [row["id"] for row in ordered]
    after, before = parameters.get("starting_after"), parameters.get("ending_before")
    for parameter, name in (("starting_after", after), ("ending_before", before)):
        if name and name not in names:
            raise StripeError(f"No such object: '{name}'", code="resource_missing", param=parameter)
    if before:
        newer = ordered[: names.index(before)]
        chosen, more = newer[-limit:], len(newer) > limit
    else:
        rest = ordered[names.index(after) + 1 :] if after else ordered
        chosen, more = rest[:limit], len(rest) > limit
    return {"object": "list", "data": chosen, "has_more": more, "url": url}


def as_list(rows: list[Row], url: str) -> Row:
    return {"object": "list", "data": rows, "has_more": False, "url": url}


def merged_metadata(before: Row | None, given: Row | str | None) -> Row:
    """Keys are added and replaced, an empty value removes one, an empty string removes all."""
    if given == "":
        return {}
    after = {**(before or {}), **(given if isinstance(given, dict) else {})}
    return {name: value for name, value in after.items() if value != ""}


def dumps(row: Row) -> bytes:
    return json.dumps(row, indent=2).encode()
