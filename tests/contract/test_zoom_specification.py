"""Our Zoom client and the simulated Zoom against Zoom's own OpenAPI document of 2021, where that is at hand.

Everything the client sends and the simulator answers is checked; what changed since is listed, and nothing else passes.
"""

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from jsonschema import Draft4Validator  # type: ignore[import-untyped]  # ships none

from coachline.events import PermanentFailure
from coachline.integrations.zoom import Zoom
from coachline.secrets import ZoomCredentials
from devstack.clock import Clock
from devstack.config import Keys
from devstack.simulators import zoom as simulated
from devstack.simulators.zoom_meetings import ACCOUNT_ID
from tests.contract.template_file import ROOT
from tests.support.stack import wait_until

DOCUMENT = next(
    (path for base in ROOT.parents if (path := base / "shared/data/openapi/zoom_v2_2021.json").exists()), None
)
HOST = "casey@example.com"
SESSION = "36f3a6f7-6b06-4742-97cb-55ba40744261"
WANTED = {
    "topic": "Coaching: Jordan and Casey",
    "start_time": "2027-03-08T14:00:00Z",
    "duration": 60,
    "timezone": "America/New_York",
    "waiting_room": True,
}
# Fields whose type is another today than it was in 2021: a meeting's number, and the ids of users.
CHANGED_SINCE = {"id", "host_id"}
SCHEMA_WORDS = {"type", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern", "format"}


@dataclass
class Call:
    method: str
    path: str
    query: dict[str, str]
    sent: Any
    status: int
    answered: Any


class Served:
    """A simulated Zoom on a thread of its own, and what went over its wire."""

    def __init__(self, directory: Path) -> None:
        self.calls: list[Call] = []
        self.base = ""
        keys = replace(Keys.load(directory), zoom_client_secret="confidential")
        self._loop = asyncio.new_event_loop()

        async def serve() -> None:
            self.zoom = simulated.Zoom(directory, Clock(), keys, receiver="http://127.0.0.1:9/webhooks/zoom")
            app = web.Application(middlewares=[self._recorded])
            app.add_subapp("/_sim/zoom", self.zoom.app)
            self._runner = web.AppRunner(app)
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            await site.start()
            await self.zoom.webhooks.start()
            port = self._runner.addresses[0][1]
            self.base = f"http://127.0.0.1:{port}/_sim/zoom"

        def run() -> None:
            self._loop.run_until_complete(serve())
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        wait_until(lambda: self.base, what="the server")

    @web.middleware
    async def _recorded(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        raw = await request.read()
        response: web.Response = await handler(request)
        path = request.path.removeprefix("/_sim/zoom")
        if path.startswith("/v2/"):
            answered = json.loads(response.text) if response.text else None
            sent = json.loads(raw) if raw else None
            query = dict(request.query)
            self.calls.append(Call(request.method, path.removeprefix("/v2"), query, sent, response.status, answered))
        return response

    def act(self, *actions: dict[str, Any]) -> None:
        async def acted() -> None:
            for action in actions:
                self.zoom.meetings.act(action)

        asyncio.run_coroutine_threadsafe(acted(), self._loop).result(5)

    def stop(self) -> None:
        async def stopped() -> None:
            await self.zoom.webhooks.stop()
            await self._runner.cleanup()

        asyncio.run_coroutine_threadsafe(stopped(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Test")
    made = Served(tmp_path)
    yield made
    made.stop()


def client(served: Served) -> Zoom:
    return Zoom(
        ZoomCredentials(ACCOUNT_ID, simulated.CLIENT_ID, "confidential", HOST), f"{served.base}/v2", served.base
    )


def everything(served: Served) -> None:
    """Every call that the client can make, those that fail among them."""
    zoom = client(served)
    made = zoom.create(HOST, SESSION, WANTED)
    assert zoom.find(HOST, SESSION) == made
    zoom.update(made.id, SESSION, {**WANTED, "duration": 90, "waiting_room": False})
    assert "zak=" in zoom.start_url(made.id)
    times = {"start": "14:00", "host": "14:01", "guest": "14:05", "end": "15:00"}
    at = {name: f"2027-03-08T{clock}:00Z" for name, clock in times.items()}
    served.act(
        {"meeting": made.id, "do": "start", "at": at["start"], "uuid": "/ajXp112QmuoKj4854875//=="},
        {"meeting": made.id, "do": "join", "who": "host", "at": at["host"]},
        {"meeting": made.id, "do": "join", "who": "guest", "at": at["guest"]},
        {"meeting": made.id, "do": "end", "at": at["end"]},
    )
    [uuid] = zoom.instances(made.id)
    assert zoom.instance(uuid)["end_time"] == at["end"]
    assert len(list(zoom.participants(uuid))) == 2
    zoom.delete(made.id)
    failing: list[Callable[[], Any]] = [
        lambda: zoom.delete(made.id),
        lambda: zoom.update(made.id, SESSION, WANTED),
        lambda: zoom.create("nobody", SESSION, WANTED),
        lambda: zoom.create(HOST, SESSION, {**WANTED, "duration": 0}),
        lambda: zoom.instance("gone"),
    ]
    for call in failing:
        with pytest.raises(PermanentFailure):
            call()


def operation_of(document: dict[str, Any], call: Call) -> dict[str, Any]:
    for template, methods in document["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+" if "UUID" not in template else ".+", re.escape(template))
        if re.fullmatch(pattern, call.path) and call.method.lower() in methods:
            found: dict[str, Any] = methods[call.method.lower()]
            return found
    raise AssertionError(f"Zoom has no {call.method} {call.path}")


def faults(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[Any]:
    whole = {"allOf": [schema], "definitions": document["definitions"]}
    return list(Draft4Validator(whole).iter_errors(value))


def query_faults(document: dict[str, Any], operation: dict[str, Any], query: dict[str, str]) -> list[str]:
    """What the document says against a query: a name it does not know, one that is missing, a value of another kind."""
    parameters = [
        document["parameters"][p["$ref"].split("/")[-1]] if "$ref" in p else p for p in operation["parameters"]
    ]
    known = {p["name"]: p for p in parameters if p["in"] == "query"}
    found = [f"unknown: {name}" for name in query.keys() - known.keys()]
    found += [f"missing: {name}" for name, each in known.items() if each.get("required") and name not in query]
    for name in query.keys() & known.keys():
        schema = {key: known[name][key] for key in SCHEMA_WORDS & known[name].keys()}
        kind = schema.get("type")
        value: Any = int(query[name]) if kind in ("integer", "number") and query[name].isdigit() else query[name]
        found += [f"{name}: {each.message}" for each in faults(document, schema, value)]
    return found


def test_the_client_s_calls_all_work_against_the_simulator(served: Served) -> None:
    everything(served)
    assert {(call.method, call.status) for call in served.calls} >= {("POST", 201), ("PATCH", 204), ("DELETE", 204)}


@pytest.mark.skipif(DOCUMENT is None, reason="Zoom's document is not part of the project; it lies beside it or not")
def test_what_is_sent_and_answered_is_what_zoom_s_document_says(served: Served) -> None:
    assert DOCUMENT
    document = json.loads(DOCUMENT.read_text())
    everything(served)
    requests = responses = parameters = changed = 0
    for call in served.calls:
        operation = operation_of(document, call)
        bodies = [p["schema"] for p in operation.get("parameters", []) if p.get("in") == "body"]
        if call.sent is not None:
            [schema] = bodies
            assert faults(document, schema, call.sent) == [], call.path
        assert query_faults(document, operation, call.query) == [], call.path
        parameters += len(call.query)
        requests += 1
        answer = operation["responses"].get(str(call.status))
        if answer is None:
            assert call.status == 400, call.path  # the document tells of no refusal but 404
        elif schema := answer.get("schema"):
            found = faults(document, schema, call.answered)
            known = [each for each in found if each.validator == "type" and each.absolute_path[-1] in CHANGED_SINCE]
            assert [each.message for each in found if each not in known] == [], call.path
            changed += len(known)
        responses += 1
    validated = f"{requests} requests with {parameters} query parameters and {responses} answers validated"
    print(f"{validated}, {changed} values of a type that changed since 2021")
    assert (requests >= 14, parameters >= 3) == (True, True)
    # The judge itself, so that it can be trusted.
    listing = operation_of(document, next(call for call in served.calls if "page_size" in call.query))
    assert query_faults(document, listing, {"page_size": "301", "kind": "x"}) == [
        "unknown: kind",
        "page_size: 301 is greater than the maximum of 300",
    ]
