"""A gateway, workers, queues and schedules on tiny functions in a temporary folder: no Postgres, no Node."""

import asyncio
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from devstack.aws import Aws
from devstack.clock import Clock
from devstack.config import Config
from devstack.gateway import SERVER, Gateway
from devstack.postgres import free_port
from devstack.processes import Processes
from devstack.template import load
from devstack.triggers import Triggers
from devstack.workers import Workers

FUNCTION = """
  {logical_id}:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/{name}/
      Timeout: {timeout}
      Events: {events}
"""
HEAD = """
Globals:
  Function:
    Handler: app.lambda_handler
    MemorySize: 256
    Environment: {Variables: {GREETING: hello}}
Resources:
"""


class Local:
    """The runtime side of a stack, driven by the test's own event loop."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lines: list[str] = []
        self.clock = Clock()
        self.template_text = HEAD
        self.runner = asyncio.Runner()
        self.processes = Processes(root / ".devstack")

    def function(self, name: str, code: str, *, events: str = "{}", timeout: int = 5, more: str = "") -> None:
        """Add a function; `events` is YAML in flow style."""
        folder = self.root / "functions" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "app.py").write_text(textwrap.dedent(code))
        logical_id = name.title().replace("_", "") + "Function"
        self.template_text += FUNCTION.format(logical_id=logical_id, name=name, events=events, timeout=timeout)
        self.template_text += textwrap.indent(textwrap.dedent(more), " " * 6)

    def resources(self, text: str) -> None:
        self.template_text += textwrap.indent(textwrap.dedent(text), "  ")

    def start(self, *, aws: bool = False) -> None:
        path = self.root / "template.yaml"
        path.write_text(self.template_text)
        self.run(self._start(path, aws=aws))

    async def _start(self, path: Path, *, aws: bool) -> None:
        self.with_aws = aws
        self.aws = Aws(self.processes)
        self.template = load(path, endpoint=self.aws.endpoint)
        environment = {"AWS_ENDPOINT_URL": self.aws.endpoint}
        say, config = self.lines.append, Config(root=self.root, directory=self.root / ".devstack")
        config.directory.mkdir()
        self.workers = Workers(self.template.functions, self.processes, config, self.clock, say, environment)
        await self.workers.start()
        self.gateway = Gateway(self.template, self.workers, self.lines.append, [])
        self.triggers = Triggers(self.template, self.workers, self.aws, self.clock, self.lines.append)
        if aws:
            await self.aws.start()
            await self.aws.create(self.template, {})
        self.server = web.ServerRunner(web.Server(self._handle, **SERVER))
        await self.server.setup()
        self.port = free_port()
        await web.TCPSite(self.server, "127.0.0.1", self.port).start()
        self.http = aiohttp.ClientSession(f"http://127.0.0.1:{self.port}", auto_decompress=False)

    async def _handle(self, request: Any) -> web.StreamResponse:
        return await self.gateway.handle(request)

    def run(self, work: Awaitable[Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(60):
                return await work

        return self.runner.run(bounded())

    def stop(self) -> None:
        self.run(self._stop())
        self.runner.close()

    async def _stop(self) -> None:
        await self.triggers.stop()
        await self.http.close()
        await self.server.cleanup()
        await self.workers.stop()
        if self.with_aws:
            await self.aws.close()
        await self.processes.stop_all()


async def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
