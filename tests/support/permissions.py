"""Who may call which route, worked out from template.yaml, the marks of the routes and the permissions of the roles.

A new route joins by itself. Two tables below are kept by hand: whose row a route with an id in its path asks for, and
the few routes whose rows are everybody's. `row` of tests/security/test_permissions.py has a row for each entry.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.contract.template_file import ROOT, declared_routes, folder, functions, routes

ROLES = ("MENTEE", "COACH", "ADMIN")
CALLERS: dict[str, tuple[str, ...]] = {
    "anonymous": (),
    "MENTEE": ("MENTEE",),
    "COACH": ("COACH",),
    "ADMIN": ("ADMIN",),
    "COACH+MENTEE": ("COACH", "MENTEE"),
    "SUSPENDED": ROLES,
    "other owner": ("COACH", "MENTEE"),
}
YES, OWN = "yes", "own"

# The beginning of a path → the kind of row that the id in it names, which belongs to somebody.
OWNED = {
    "/api/calendly/event-types/{id}/mapping": "event_type",
    "/api/coach/{coachId}/metrics": "coach",
    "/api/coaching/availability/{scheduleId}": "schedule",
    "/api/invoices/{id}": "invoice",
    "/api/payment-methods/{id}": "payment method",
    "/api/disputes/{id}": "dispute",
    "/api/payments/{id}": "payment",
    "/api/members/{userId}/history": "member",
    "/api/goals/{id}": "goal",
    "/api/notifications/{id}": "notification",
    "/api/sessions/{id}": "session",
    "/api/subscriptions/{id}": "subscription",
    "/api/user/role/requests/{id}": "role request",
}
# Routes with an id in their path whose rows anyone with the permission may ask for, and why.
SHARED: dict[tuple[str, str], str] = {
    ("GET", "/api/plans/{id}"): "what is for sale is everybody's",
    ("GET", "/api/achievements/definitions/{id}"): "what can be achieved is everybody's",
}
# Routes that read nothing of ours, so that nobody asks the database whether the caller is suspended.
WITHOUT_DATA = {("GET", "/api/coaching/availability/holidays"): "public holidays, the same for everyone"}
# Another's row that is asked for in the query and not in the path.
OWNED_IN_QUERY = {("GET", "/api/user/role"): "userId"}
# What a request cannot do without although its description calls it optional.
QUERIES = {("GET", "/api/coaching/slots"): {"from": "2027-03-08T00:00:00Z", "to": "2027-03-09T00:00:00Z"}}


@dataclass(frozen=True)
class Route:
    """A route as it is deployed. `kind`: public (nobody is asked who he is), signed (a provider), or signed_in."""

    method: str
    path: str
    kind: str
    permission: str | None

    @property
    def operation(self) -> dict[str, Any]:
        """Its description in docs/openapi.json; empty for pages."""
        found: dict[str, Any] = document()["paths"].get(self.path, {}).get(self.method.lower(), {})
        return found

    @property
    def owned(self) -> str | None:
        """The kind of the row that its path names."""
        return next((kind for path, kind in OWNED.items() if f"{self.path}/".startswith(f"{path}/")), None)


@cache
def document() -> dict[str, Any]:
    described: dict[str, Any] = json.loads((ROOT / "docs/openapi.json").read_text())
    return described


@cache
def permissions() -> dict[str, frozenset[str]]:
    """Permission → the roles that have it, as prisma/sql/seed/role_permission.sql gives them."""
    seed = (ROOT / "prisma/sql/seed/role_permission.sql").read_text()
    return {
        name: frozenset(roles.split(",")) for name, roles in re.findall(r"\('([a-z_]+:[a-z_]+)', '{([A-Z,]+)}'", seed)
    }


@cache
def all_routes() -> tuple[Route, ...]:
    """Every route of template.yaml but $default, by path and method."""
    return tuple(sorted(_routes(), key=lambda route: (route.path, route.method)))


def _routes() -> Iterator[Route]:
    for function in functions().values():
        open_to_all = declared_routes(ROOT / folder(function) / "app.py")
        for method, path in routes(function) & open_to_all.keys():
            described = document()["paths"].get(path, {}).get(method.lower(), {})
            public = "signed" if path.startswith("/webhooks/") else "public"
            kind = public if open_to_all[method, path] else "signed_in"
            yield Route(method, path, kind, described.get("x-permission"))


def expected(route: Route, caller: str) -> str:
    """What a caller gets: 401, 403 or 404, `yes`, or `own`: yes, and nothing of anybody else's.

    LookupError, with what to add, when a route names a row and nothing says whose it is.
    """
    if route.kind != "signed_in":
        return YES if route.kind == "public" else "401"
    if caller == "anonymous":
        return "401"
    if caller == "SUSPENDED":
        return YES if (route.method, route.path) in WITHOUT_DATA else "403"
    if route.permission is not None and not permissions()[route.permission] & set(CALLERS[caller]):
        return "403"
    return _ownership(route) if caller == "other owner" else YES


def _ownership(route: Route) -> str:
    here = (route.method, route.path)
    if here in SHARED:
        return YES
    if here in OWNED_IN_QUERY:
        return "404"
    if "{" not in route.path:
        return OWN
    if route.owned is None:
        raise LookupError(
            f"{route.method} {route.path} names a row, and nothing says whose it is. Add the path to OWNED in "
            "tests/support/permissions.py and such a row to `row` in tests/security/test_permissions.py; "
            "or, when the row is everybody's, the route to SHARED with the reason."
        )
    return "404"


def table() -> str:
    """All of it as a table of Markdown."""
    heads = ["route", "permission", *CALLERS]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for route in all_routes():
        asked = {"signed_in": route.permission or "any", "public": "public", "signed": "signature"}[route.kind]
        cells = [f"`{route.method} {route.path}`", asked, *(expected(route, caller) for caller in CALLERS)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
