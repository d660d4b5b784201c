"""Every minute: publish domain events from the outbox to the bus."""

from datetime import datetime

import boto3

from coachline.events import scheduled_job
from coachline.operations import outbox
from coachline.service import as_service
from coachline.settings import service_settings


def run(now: datetime) -> dict[str, int]:  # noqa: ARG001 - what is due is due, whenever that is
    return {"published": outbox.relay(as_service(), boto3.client("events"), service_settings().event_bus_name)}


lambda_handler = scheduled_job(run)
