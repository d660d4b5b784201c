"""Every route of template.yaml called by seven kinds of caller: what each gets is in tests/support/permissions.py.

Under maintenance, which the guard asks about last: whoever may write is answered 503 and nothing happens, so any route
can be tried with the example of its own description.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.hostile import World
from tests.support.permissions import (
    CALLERS,
    OWN,
    OWNED,
    OWNED_IN_QUERY,
    QUERIES,
    SHARED,
    WITHOUT_DATA,
    YES,
    Route,
    all_routes,
    document,
    expected,
    permissions,
)
from tests.support.stack import SignedIn, Stack
from tests.support.story import PROFILE

REFUSALS = {"unauthenticated", "forbidden", "user_suspended", "user_unknown", "gate_closed"}


@dataclass(frozen=True)
class Owned:
    """A row, who owns it, and the id that paths name it by."""

    owner: SignedIn
    id: str


def row(world: World, kind: str) -> Owned:
    """A row of each kind in OWNED that belongs to somebody of the world."""
    rows = {
        "coach": (world.coach, world.coach.user_id),
        "member": (world.coach, world.coach.user_id),
        "event_type": (world.coach, world.event_type_id),
        "goal": (world.mentee, world.goal_id),
        "session": (world.mentee, world.session_id),
        "schedule": (world.coach, world.schedule_id),
        "notification": (world.mentee, world.notification_id),
        "role request": (world.mentee, world.role_request_id),
        "subscription": (world.mentee, world.subscription_id),
        "payment method": (world.mentee, world.payment_method_id),
        "invoice": (world.mentee, world.invoice_id),
        "dispute": (world.coach, world.dispute_id),
        "payment": (world.mentee, world.payment_id),
    }
    if kind in rows:
        return Owned(*rows[kind])
    raise LookupError(f"tests/support/permissions.py names a {kind}: say here which row that is")


@pytest.fixture(scope="module")
def callers(stack: Stack) -> dict[str, httpx.Client]:
    made = {name: stack.user(*roles).http if roles else stack.client() for name, roles in CALLERS.items()}
    made["other owner"].post("/api/coach/profile", json=PROFILE).raise_for_status()
    suspended = made["SUSPENDED"].get("/api/user").json()["data"]["id"]
    with stack.database() as database:
        database.execute("update user_account set status = 'SUSPENDED' where id = %s", [suspended])
    return made


@pytest.fixture
def maintenance(stack: Stack) -> Iterator[None]:
    with stack.database() as database:
        database.execute("""select private.set_setting('maintenance', '{"enabled": true}')""")
        yield
        database.execute("""select private.set_setting('maintenance', '{"enabled": false}')""")


def example(schema: dict[str, Any]) -> Any:
    """A value that fits: the description's own example where it has one."""
    if "$ref" in schema:
        return example(document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    if options := schema.get("anyOf"):
        return example(options[0])
    if values := schema.get("examples") or schema.get("enum"):
        return values[0]
    by_format = {"uuid": str(uuid4()), "date-time": "2027-03-08T00:00:00Z", "date": "2027-03-08"}
    by_type = {"integer": max(60, schema.get("minimum", 1)), "boolean": True}
    return schema.get("default") or by_format.get(schema.get("format", "")) or by_type.get(schema.get("type", ""), "x")


def send(route: Route, http: httpx.Client, path: str | None = None, **query: str) -> httpx.Response:
    """Call a route with the example of its description, by default for a row that there is not."""
    path, headers = path or route.path, {"Idempotency-Key": uuid4().hex}
    query = {**QUERIES.get((route.method, route.path), {}), **query}
    for parameter in route.operation.get("parameters", []):
        value = str(example(parameter["schema"]))
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", value)
        elif parameter["in"] == "query" and parameter.get("required"):
            query.setdefault(parameter["name"], value.replace("-08", "-09") if parameter["name"] == "to" else value)
    content = route.operation.get("requestBody", {}).get("content", {})
    if body := content.get("application/json"):
        given = body["example"] if "example" in body else example(body["schema"])
        return http.request(route.method, path, params=query, json=given, headers=headers)
    media = next(iter(content), "application/json")
    data = b"x" if content else None
    return http.request(route.method, path, params=query, content=data, headers={**headers, "Content-Type": media})


def verdict(answer: httpx.Response) -> str:
    """401, 403 and 404 as such, `yes` for whatever else is said to somebody who may."""
    told = f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:300]}"
    problem = answer.headers.get("Content-Type") == "application/problem+json"
    code = answer.json()["code"] if problem else ""
    assert answer.status_code < 500 or code == "maintenance", told
    if code in REFUSALS:
        return str(answer.status_code)
    # Validation comes before the database: a request that it refuses has not asked for the permission yet.
    assert code not in {"malformed_request", "unsupported_media_type", "validation_failed"}, (
        f"{told}\nThe example in this route's description does not pass its own validation: mend it, or see QUERIES."
    )
    return YES


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.usefixtures("maintenance")
@pytest.mark.parametrize("route", all_routes(), ids=named)
def test_a_route_lets_in_whom_it_should(route: Route, callers: dict[str, httpx.Client]) -> None:
    mine = {name: http for name, http in callers.items() if name != "other owner"}
    if route.kind == "signed":
        statuses = {name: http.post(route.path, json={}).status_code for name, http in mine.items()}
        assert set(statuses.values()) <= {401, 404}, statuses  # 404 where the provider's secret is not set
        return
    found = {name: verdict(send(route, http)) for name, http in mine.items()}
    assert found == {name: expected(route, name) for name in mine}


OTHERS = [route for route in all_routes() if route.kind == "signed_in"]


@pytest.mark.parametrize("route", OTHERS, ids=named)
def test_a_route_shows_a_stranger_nothing_of_anothers(
    route: Route, callers: dict[str, httpx.Client], world: World
) -> None:
    stranger = callers["other owner"]
    wanted, here = expected(route, "other owner"), (route.method, route.path)
    if wanted == "403":
        assert verdict(send(route, stranger)) == "403"
    elif wanted == "404":
        if here in OWNED_IN_QUERY:
            answer = send(route, stranger, **{OWNED_IN_QUERY[here]: world.coach.user_id})
        else:
            assert route.owned is not None
            theirs = row(world, route.owned)
            start = next(path for path in OWNED if route.path.startswith(path))
            path = re.sub(r"\{\w+\}", theirs.id, start) + route.path[len(start) :]
            if route.path == start and route.method == "GET":
                assert theirs.owner.get(path).status_code == 200, f"{path} is not the row that its owner sees"
            answer = send(route, stranger, path)
        assert answer.status_code == 404, answer.text
    elif wanted == OWN and route.method == "GET":
        answer = send(route, stranger)
        secrets = [world.mentee.user_id, world.admin.user_id, *(row(world, kind).id for kind in OWNED.values())]
        assert [secret for secret in secrets if secret in answer.text] == []


def test_what_is_kept_by_hand_is_of_use() -> None:
    routes = {(route.method, route.path): route for route in all_routes()}
    assert {*SHARED, *WITHOUT_DATA, *OWNED_IN_QUERY, *QUERIES} <= routes.keys()
    assert {path for path in OWNED if not any(known.startswith(path) for _, known in routes)} == set()


def test_roles_have_the_permissions_that_the_sources_say(stack: Stack) -> None:
    with stack.database() as database:
        rows = database.execute("select permission, role::text from private.role_permission").fetchall()
    stored: dict[str, set[str]] = {}
    for each in rows:
        stored.setdefault(each["permission"], set()).add(each["role"])
    assert stored == permissions()


def test_without_a_role_no_function_of_the_database_answers(stack: Stack) -> None:
    """PostgREST can be called without naming a permission: then the function itself has to ask."""
    nobody = stack.user()
    with stack.database() as database:
        database.execute("delete from user_role where user_id = %s", [nobody.user_id])
        functions = database.execute(
            """select p.proname as name, p.proargnames as names,
                 array(select case when format_type(t, null) like '%[]' then '[]'
                                   when t = 'jsonb'::regtype then '{}' when t = 'boolean'::regtype then 'true'
                                   when t = 'uuid'::regtype then to_jsonb(gen_random_uuid())
                                   when t in ('timestamptz'::regtype, 'date'::regtype) then '"2030-01-01T00:00:00Z"'
                                   when t in ('integer'::regtype, 'bigint'::regtype) then '1' else '"x"' end::jsonb
                       from unnest(p.proargtypes) t) as given
               from pg_proc p where p.pronamespace = 'public'::regnamespace
                 and has_function_privilege('authenticated', p.oid, 'execute')
                 and not has_function_privilege('anon', p.oid, 'execute')"""
        ).fetchall()
    gate = stack.info["gate"]
    headers = {gate["header"]: gate["value"], "apikey": stack.info["publishableKey"]}
    answered = {}
    for each in functions:
        arguments = dict(zip(each["names"] or [], each["given"], strict=False))
        answer = nobody.http.post(f"/rest/v1/rpc/{each['name']}", json=arguments, headers=headers)
        if answer.json().get("message") != "forbidden":
            answered[each["name"]] = answer.text
    assert answered.keys() == {"ensure_user"}, answered  # which makes the caller's own row
