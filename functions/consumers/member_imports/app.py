"""MemberImportsQueue: work off imports of member data, some thousand rows for each message."""

from typing import Any

from coachline.events import queue_consumer
from coachline.members import import_work, imports
from coachline.service import as_service


def handle(message: dict[str, Any]) -> None:
    import_work.work(as_service(import_work.PATIENCE), message["importId"], imports.enqueue)


lambda_handler = queue_consumer(handle)
