"""The local AWS: a moto server with the queues, buckets, bus, rules and secrets that the template declares."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp

from devstack.config import StackError
from devstack.intrinsics import ACCOUNT, REGION
from devstack.postgres import free_port
from devstack.processes import Processes
from devstack.template import Queue, Template

START_SECONDS = 30
RECORDER = "devstack-recorded-events"
MAIL_DOMAIN = "coachline.example"  # what SES may send from
MAIL_VARIABLES = {"MAIL_FROM": f"Coachline <notices@{MAIL_DOMAIN}>"}
_SERVICES = {"sqs": ("AmazonSQS", "1.0"), "events": ("AWSEvents", "1.1"), "secretsmanager": ("secretsmanager", "1.1")}
DEPTHS = "/depths"  # moto_server.py's own


class AwsError(Exception):
    """AWS refused a call."""


class Aws:
    """Calls AWS's own JSON protocol rather than boto3, which cannot wait on many queues without as many threads."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._port = free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self._session: aiohttp.ClientSession
        self._events: list[dict[str, Any]] = []
        self._declared: tuple[Template, dict[str, str]] | None = None

    async def start(self) -> None:
        """Return once the server answers. After a crash it has again what was created, and queues that are empty."""
        if self._declared is None:
            connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=60)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        server = str(Path(__file__).with_name("moto_server.py"))
        argv = [sys.executable, "-P", server, "-H", "127.0.0.1", "-p", str(self._port)]
        process = await self._processes.start("aws", argv)
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    async with self._session.get(f"{self.endpoint}/moto-api/config"):
                        break
                except aiohttp.ClientConnectionError:
                    if process.returncode is not None:
                        raise StackError(f"moto did not start:\n{self._processes.log_tail('aws')}") from None
                    await asyncio.sleep(0.02)
        if self._declared:
            await self.create(*self._declared)

    async def close(self) -> None:
        await self._session.close()

    async def call(self, service: str, action: str, **parameters: Any) -> dict[str, Any]:
        """One call of an AWS API; AwsError when it is refused."""
        prefix, version = _SERVICES[service]
        headers = {
            "Content-Type": f"application/x-amz-json-{version}",
            "X-Amz-Target": f"{prefix}.{action}",
            "Authorization": _authorization(service),
        }
        try:
            status, text = await self._post(parameters, headers)
        except aiohttp.ServerDisconnectedError:  # a connection that is older than the server
            status, text = await self._post(parameters, headers)
        if status >= 300:
            raise AwsError(f"{action}: {text[:500]}")
        answer: dict[str, Any] = json.loads(text or "{}")
        return answer

    async def _post(self, parameters: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        async with self._session.post(self.endpoint, data=json.dumps(parameters), headers=headers) as response:
            return response.status, await response.text()

    def queue_url(self, name: str) -> str:
        return f"{self.endpoint}/{ACCOUNT}/{name}"

    async def create(self, template: Template, secrets: dict[str, str]) -> None:
        """Make what the template declares, and the secrets that the stack itself gives to the functions."""
        self._declared = template, secrets
        redriven = [queue for queue in template.queues if "RedrivePolicy" in queue.attributes]
        plain = [queue for queue in template.queues if queue not in redriven]
        for queue in [*plain, *redriven, Queue(RECORDER, {})]:  # a dead-letter queue before those that point to it
            await self.call("sqs", "CreateQueue", QueueName=queue.name, Attributes=queue.attributes)
        for bucket in template.buckets:
            await self._make_bucket(bucket)
        await self._verify_domain(MAIL_DOMAIN)
        for bus in template.buses:
            await self.call("events", "CreateEventBus", Name=bus)
            arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{RECORDER}"
            await self._rule(bus, RECORDER, {"account": [ACCOUNT]}, [{"Id": RECORDER, "Arn": arn}])
        for rule in template.rules:
            await self._rule(rule.bus, rule.name, rule.pattern, rule.targets)
        for name, value in {**dict.fromkeys(template.secrets, "{}"), **secrets}.items():
            await self.call("secretsmanager", "CreateSecret", Name=name, SecretString=value)

    async def _make_bucket(self, name: str) -> None:
        """S3 speaks no JSON, so `call` cannot."""
        headers = {"Authorization": _authorization("s3")}
        async with self._session.put(f"{self.endpoint}/{name}", headers=headers) as response:
            if response.status != 200:
                raise AwsError(f"CreateBucket: {(await response.text())[:500]}")

    async def _verify_domain(self, name: str) -> None:
        """SES speaks REST."""
        headers = {"Authorization": _authorization("ses")}
        address = f"{self.endpoint}/v2/email/identities"
        async with self._session.post(address, json={"EmailIdentity": name}, headers=headers) as response:
            if response.status != 200:
                raise AwsError(f"CreateEmailIdentity: {(await response.text())[:500]}")

    async def _rule(self, bus: str, name: str, pattern: dict[str, Any], targets: list[dict[str, Any]]) -> None:
        await self.call("events", "PutRule", EventBusName=bus, Name=name, EventPattern=json.dumps(pattern))
        await self.call("events", "PutTargets", EventBusName=bus, Rule=name, Targets=targets)

    async def depths(self) -> dict[str, dict[str, int]]:
        """How many messages each queue holds: {visible, inFlight, delayed}."""
        async with self._session.get(f"{self.endpoint}{DEPTHS}") as response:
            held: dict[str, dict[str, int]] = await response.json(content_type=None)
            return held

    async def events(self) -> list[dict[str, Any]]:
        """Every event that was put on a bus since the start, oldest first, as EventBridge delivers it."""
        url = self.queue_url(RECORDER)
        while messages := (await self.call("sqs", "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10)).get(
            "Messages"
        ):
            self._events += [json.loads(message["Body"]) for message in messages]
            entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)]
            await self.call("sqs", "DeleteMessageBatch", QueueUrl=url, Entries=entries)
        return self._events

    async def emails(self, to: str | None = None) -> list[dict[str, Any]]:
        """Every message that was sent through SES since the start, or those to one address, as moto keeps them."""
        async with self._session.get(f"{self.endpoint}/moto-api/data.json?service=ses") as response:
            response.raise_for_status()
            kept = json.loads(await response.text()).get("ses", {})
        sent = [message for kind in ("Message", "RawMessage", "TemplateMessage") for message in kept.get(kind, [])]
        return [message for message in sent if to is None or to in message["destinations"]]


def _authorization(service: str) -> str:
    """moto does not check it, but goes by the service that it names."""
    credential = f"local/20260101/{REGION}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=local"
