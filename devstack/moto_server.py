"""moto's server with mends, started by aws.py as a script: of its SQS, its S3, its own API and its speed.

Its threads change a queue's list of messages side by side, which loses some and delivers others twice: here one
thread at a time does. And a message that is made visible again wakes whoever waits for one.

It takes a form's upload of any size, whatever the policy that comes with it allows.

What one object cannot tell of itself does not keep it from telling all others.

Its speed, because it was the slowest part of a webhook's delivery by far: it lists its own folder and the methods of a
class for each request, and makes four datetimes for each look at a message's clock. To send or receive one it counts
all others three times, to delete one it asks each twice whether it is the one. It makes the parser of a rule's paths
anew for each event. Its server closes each connection after one answer, and listens on it for ten milliseconds more.
"""

import base64
import io
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jsonpath_ng import ext as jsonpath
from jsonpath_ng.ext.parser import parse
from moto import backends
from moto.core import responses
from moto.core.model_instances import model_data
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.moto_api._internal.responses import MotoAPIResponse
from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.s3.responses import S3Response
from moto.server import main
from moto.sqs import models
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, Queue, SQSBackend
from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app


def one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    """Hold the queue's lock during a call of the backend that names the queue first; waiting lets go of it."""

    def call(backend: SQSBackend, queue_name: str, *arguments: Any, **named: Any) -> Any:
        queue: Queue = backend.get_queue(queue_name)
        with queue._messages_lock:
            result = method(backend, queue_name, *arguments, **named)
            if method.__name__ == "change_message_visibility":
                queue._messages_lock.notify_all()
            return result

    return call


for name in ("receive_message", "delete_message", "delete_message_batch", "change_message_visibility"):
    setattr(SQSBackend, name, one_at_a_time(getattr(SQSBackend, name)))


class Attributes(Mapping[str, Any]):
    """A queue's attributes, each made when it is asked for."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._names = [*queue.BASE_ATTRIBUTES, *(queue.FIFO_ATTRIBUTES if queue.fifo_queue else ())]
        self._names += queue.KMS_ATTRIBUTES if getattr(queue, "kms_master_key_id", None) else ()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        value = getattr(self._queue, camelcase_to_underscores(name))
        if name == "RedrivePolicy" and value:
            return json.dumps(value)
        return str(value).lower() if isinstance(value, bool) else value


def ready(queue: Queue) -> list[Message]:
    """What can be received now."""
    now = time.time() * 1000
    return [each for each in queue._messages if each.visible_at < now and each.delayed_until <= now]


def delayed(queue: Queue) -> int:
    """How many messages are held back."""
    now = time.time() * 1000
    return sum(each.delayed_until > now for each in queue._messages)


def in_flight(queue: Queue) -> int:
    """How many messages somebody works on."""
    now = time.time() * 1000
    return sum(each.visible_at >= now for each in queue._messages)


def delete(queue: Queue, handle: str) -> None:
    """Take a message out; who holds the queue's lock has received it not long ago, so that it is among the first."""
    if handle in queue.deleted_messages:
        return
    for number, each in enumerate(queue._messages):
        if each.had_receipt_handle(handle):
            del queue._messages[number]
            queue.pending_messages.discard(each)
            queue.deleted_messages.update(filter(None, each.all_receipt_handles))
            return
    raise ReceiptHandleIsInvalid


DEPTHS = "/depths"  # a path of our own, which no bucket has
TOO_LARGE = (
    "<Error><Code>EntityTooLarge</Code><Message>Your proposed upload exceeds the maximum allowed size</Message></Error>"
)


def within_its_policy(method: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a form's file that is larger than the policy's content-length-range."""

    def call(response: S3Response, *arguments: Any) -> Any:
        policy = json.loads(base64.b64decode(response.form_data.get("policy", "e30=")))
        ranges = [each for each in policy.get("conditions", []) if isinstance(each, list)]
        if any(len(response.body) > most for name, _, most in ranges if name == "content-length-range"):
            return 400, {}, TOO_LARGE
        return method(response, *arguments)

    return call


def readable(_response: object, _request: object, url: str, _headers: object) -> tuple[int, dict[str, str], str]:
    """Everything that can be read of what moto keeps, or of one `service`: it keeps every message of a queue for good.

    Its own fails as a whole when one property does.
    """
    wanted = parse_qs(urlsplit(url).query).get("service", list(model_data))
    kept: dict[str, dict[str, list[Any]]] = {}
    for service in wanted:
        named: dict[str, Any] = dict(model_data.get(service, {}))
        kept[service] = {
            name: [_attributes(each) for each in list(model.instances_tracked)] for name, model in named.items()
        }
    return 200, {"Content-Type": "application/json"}, json.dumps(kept)


def _attributes(instance: object) -> dict[str, Any]:
    found = {}
    for name in dir(instance):
        if not name.startswith("_"):
            with suppress(Exception):  # a property of moto's may raise anything while another thread changes its object
                found[name] = json.loads(json.dumps(getattr(instance, name)))
    return found


def keeping_alive(run_wsgi: Callable[[MotoRequestHandler], None]) -> Callable[[MotoRequestHandler], None]:
    """Answer a call of the JSON protocols, whose length is known, at one blow, and leave the connection open."""

    def call(handler: MotoRequestHandler) -> None:
        if handler.path == DEPTHS:
            _answer(handler, "200 OK", Headers(), json.dumps(depths()).encode())
            return
        if "X-Amz-Target" not in handler.headers:
            handler.close_connection = True
            run_wsgi(handler)
            return
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        answer, status, headers = run_wsgi_app(
            handler.server.app, handler.make_environ() | {"wsgi.input": io.BytesIO(body)}, buffered=True
        )
        _answer(handler, status, headers, b"".join(answer))

    return call


def _answer(handler: MotoRequestHandler, status: str, headers: Headers, text: bytes) -> None:
    headers["Content-Length"] = str(len(text))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    handler.wfile.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + text)


def depths() -> dict[str, dict[str, int]]:
    """What every queue holds, in one answer: whoever waits for all of them to be empty asks all the time."""
    return {
        queue.name: {"visible": len(ready(queue)), "inFlight": in_flight(queue), "delayed": delayed(queue)}
        for account in models.sqs_backends.values()
        for backend in account.values()
        for queue in list(backend.queues.values())
    }


for owner, name, mended in (
    (S3Response, "_bucket_response_post", within_its_policy(S3Response._bucket_response_post)),
    (MotoAPIResponse, "model_data", readable),
    (backends, "list_of_moto_modules", cache(lambda listed=backends.list_of_moto_modules: tuple(listed()))),
    (Queue, "attributes", property(Attributes)),
    (Queue, "messages", property(ready)),
    (Queue, "approximate_number_of_messages_delayed", property(delayed)),
    (Queue, "approximate_number_of_messages_not_visible", property(in_flight)),
    (Queue, "delete_message", delete),
    (models, "unix_time", time.time),
    (models, "unix_time_millis", lambda: time.time() * 1000),
    (models, "camelcase_to_underscores", cache(camelcase_to_underscores)),
    (responses, "method_names_from_class", cache(method_names_from_class)),
    (jsonpath, "parse", cache(parse)),
    (MotoRequestHandler, "protocol_version", "HTTP/1.1"),
    (MotoRequestHandler, "run_wsgi", keeping_alive(MotoRequestHandler.run_wsgi)),
):
    getattr(owner, name)  # else moto has changed, and this would mend nothing
    setattr(owner, name, mended)

if __name__ == "__main__":
    main(sys.argv[1:])
