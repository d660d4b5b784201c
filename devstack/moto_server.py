"""moto's server with two mends of its SQS, started by aws.py as a script.

Its threads change a queue's list of messages side by side, which loses some and delivers others twice: here one
thread at a time does. And a message that is made visible again wakes whoever waits for one.
"""

import sys
from collections.abc import Callable
from typing import Any

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

if __name__ == "__main__":
    main(sys.argv[1:])
