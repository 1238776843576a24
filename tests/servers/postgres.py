"""A real PostgreSQL for tests: started once for all of them, with fsync on, and ended with them.

Each test gets a database of its own, copied from one that was migrated once.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from gateway.storage.server.postgres.migrate import migrate
from tests.servers.packages import install

START_SECONDS = 60.0
STOP_SECONDS = 30.0
TEMPLATE = "migrated"
# Migrates and owns; no superuser, so that row-level security holds it too.
OWNER = "checkrein_owner"
EMPTY = """
    SET lock_timeout = '10s';
    DO $$
    DECLARE
        day regclass;
    BEGIN
        FOR day IN
            SELECT inhrelid FROM pg_inherits
            WHERE inhparent IN ('checkrein.event'::regclass, 'checkrein.blob'::regclass)
                AND inhrelid::regclass::text ~ '\\d{8}$'
        LOOP
            EXECUTE format('DROP TABLE %s', day);
        END LOOP;
    END
    $$;
    TRUNCATE checkrein.event, checkrein.blob, checkrein.run_secret, checkrein.run,
        checkrein.action, checkrein.approval, checkrein.feed, checkrein.feed_end,
        checkrein.run_fact, checkrein.run_cost, checkrein.artifact, checkrein.project,
        checkrein.api_key, checkrein.wrapped_key, checkrein.policy_version, checkrein.leaves
        RESTART IDENTITY;
"""
_numbers = itertools.count(1)


def binaries() -> Path:
    """The folder of the server's programs, the newest version of those that are installed."""
    found = _installed()
    if not found:
        install("postgresql")
        found = _installed()
    return max(found, key=lambda folder: int(folder.parent.name))


def _installed() -> list[Path]:
    programs = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return [program.parent for program in programs if program.parent.parent.name.isdigit()]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def as_other_user(*command: str | Path) -> list[str]:
    """The command, ending when this process does, and as another user when this is root:
    these servers refuse to be."""
    drop: list[str] = []
    if os.geteuid() == 0:
        who = unprivileged()
        drop = [f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"]
    return ["setpriv", "--pdeathsig", "INT", *drop, "--", *map(str, command)]


def children(pid: int) -> list[int]:
    """The processes whose parent this is."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name, which may hold anything, come state and parent.
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(status.parent.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def hand_over(*paths: Path) -> None:
    """Make these the property of the user that servers run as."""
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, unprivileged().pw_uid, unprivileged().pw_gid)


def unprivileged() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


class PostgresServer:
    """One server in a folder of its own on a free port. Everybody on loopback is trusted."""

    def __init__(self) -> None:
        self.binaries = binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="checkrein-postgres-"))
        self.port = free_port()
        self.log = self.folder / "log"
        self.clean: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        hand_over(self.folder)
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, database: str, user: str) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> PostgresServer:
        """Start, or start again, and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "fsync": "on",
            "max_connections": "200",
            "log_min_messages": "warning",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = as_other_user(
            self.binaries / "postgres", "-D", self.data, "-p", str(self.port), *options
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End it in an orderly way, not waiting for clients."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def kill(self) -> None:
        """kill -9, the server and all its children. None of them is left on return: as long as one
        is, the server does not start again."""
        assert self._process is not None
        # One that stands still makes no more of them.
        self._process.send_signal(signal.SIGSTOP)
        left = children(self.pid)
        self.signal(signal.SIGKILL)
        self._process.wait()
        self._process = None
        while any(is_alive(pid) for pid in left):
            time.sleep(0.005)

    def signal(self, number: int) -> None:
        """Signal the server and all its children, which lead sessions of their own."""
        for pid in [self.pid, *children(self.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def remove(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def dump(self, database: str, *options: str) -> str:
        """What pg_dump makes of a database."""
        host = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        return self._run("pg_dump", *host, *options, database)

    @asynccontextmanager
    async def superuser(self, database: str = "postgres") -> AsyncIterator[Any]:
        connection = await asyncpg.connect(self.url(database, "postgres"))
        try:
            yield connection
        finally:
            await connection.close()

    async def database(self, template: str = TEMPLATE) -> str:
        """A new database, copied from the template."""
        name = f"test_{next(_numbers)}"
        async with self.superuser() as connection:
            await connection.execute(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template}")
        return name

    async def drop(self, database: str) -> None:
        async with self.superuser() as connection:
            await connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    async def prepare(self) -> None:
        """Make the template: owned and migrated by a role that is no superuser."""
        async with self.superuser() as connection:
            await connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE")
            await connection.execute(f"CREATE DATABASE {TEMPLATE} OWNER {OWNER}")
            await connection.execute(f"CREATE DATABASE empty OWNER {OWNER}")
        await migrate(self.url(TEMPLATE, OWNER))

    def _answers(self) -> bool:
        ask = [str(self.binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ask, check=False).returncode == 0

    def _run(self, program: str, *arguments: str | Path) -> str:
        command = as_other_user(self.binaries / program, *arguments)
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stderr}")
        return done.stdout


@functools.cache
def shared() -> PostgresServer:
    """The server of this session, with a migrated template in it."""
    server = PostgresServer()
    atexit.register(server.remove)
    server.start()
    # Called from within a test's event loop too, so it gets a loop of its own.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(server.prepare())).result()
    return server


def fresh() -> PostgresServer:
    """A server of a test's own, to be hurt. The test removes it."""
    server = PostgresServer()
    server.start()
    return server


class Place:
    """A test's own database, and the addresses under which the roles reach it."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.server = server
        self.name = name

    @property
    def gateway(self) -> str:
        return self.server.url(self.name, "checkrein_gateway")

    @property
    def worker(self) -> str:
        return self.server.url(self.name, "checkrein_worker")

    @property
    def owner(self) -> str:
        return self.server.url(self.name, OWNER)

    @asynccontextmanager
    async def superuser(self) -> AsyncIterator[Any]:
        async with self.server.superuser(self.name) as connection:
            yield connection


@asynccontextmanager
async def place(server: PostgresServer, template: str = TEMPLATE) -> AsyncIterator[Place]:
    """A new database for a test that changes more than rows, dropped behind it."""
    name = await server.database(template)
    try:
        yield Place(server, name)
    finally:
        await server.drop(name)


@asynccontextmanager
async def emptied(server: PostgresServer) -> AsyncIterator[Place]:
    """A migrated database without rows. Making one takes longer than emptying it."""
    name = server.clean.pop() if server.clean else await server.database()
    try:
        yield Place(server, name)
        async with server.superuser(name) as connection:
            await connection.execute(EMPTY)
    except BaseException:
        await server.drop(name)
        raise
    server.clean.append(name)
