"""moto's server with three mends, started by aws.py as a script: two of its SQS, one of its S3.

Its threads change a queue's list of messages side by side, which loses some and delivers others twice: here one
thread at a time does. And a message that is made visible again wakes whoever waits for one.

It takes a form's upload of any size, whatever the policy that comes with it allows.
"""

import base64
import json
import sys
from collections.abc import Callable
from typing import Any

from moto.s3.responses import S3Response
from moto.server import main
from moto.sqs.models import Queue, SQSBackend


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


for name in ("_bucket_response_post",):
    setattr(S3Response, name, within_its_policy(getattr(S3Response, name)))

if __name__ == "__main__":
    main(sys.argv[1:])
