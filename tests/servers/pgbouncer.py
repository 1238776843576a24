"""A real PgBouncer in transaction mode in front of a test's PostgreSQL."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers import postgres
from tests.servers.packages import install

SETTINGS = """
[databases]
* = host=127.0.0.1 port={server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {connections}
logfile = {folder}/log
"""
START_SECONDS = 20.0


@contextlib.contextmanager
def pooling(server: postgres.PostgresServer, connections: int) -> Iterator[int]:
    """The port of a pooler with so many connections to each database and user."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        install("pgbouncer")
        program = "/usr/sbin/pgbouncer"
    folder = Path(tempfile.mkdtemp(prefix="checkrein-pgbouncer-"))
    port = postgres.free_port()
    settings = SETTINGS.format(
        server=server.port, port=port, folder=folder, connections=connections
    )
    (folder / "settings").write_text(settings)
    users = ("checkrein_gateway", "checkrein_worker")
    (folder / "users").write_text("".join(f'"{user}" ""\n' for user in users))
    postgres.hand_over(folder, folder / "settings", folder / "users")
    command = postgres.as_other_user(program, "-q", folder / "settings")
    process = subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL)
    try:
        _wait(port, process, folder / "log")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text() if log.exists() else ""
            raise RuntimeError(f"PgBouncer did not start: {said[-2000:]}")
        time.sleep(0.02)
