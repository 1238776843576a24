"""A whole installation on loopback: Redis, PostgreSQL, a worker, and what a gateway is told.

`python -m tests.servers.production COMMAND...` runs a command within it.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

from msgspec import Struct

from tests.servers import postgres, redis

COMMAND = (sys.executable, "-m", "gateway.cli")
STOP_SECONDS = 30


class Production(Struct, frozen=True):
    """The servers, and the variables of each kind of process."""

    folder: Path
    redis: redis.Server
    postgres: postgres.PostgresServer
    database: str

    def environ(self, role: str = "gateway") -> dict[str, str]:
        """What a gateway, a worker or an owner is started with."""
        clean = {name: text for name, text in os.environ.items() if name[:10] != "CHECKREIN_"}
        return {
            **clean,
            "CHECKREIN_REDIS_URL": self.redis.url,
            "CHECKREIN_DATABASE_URL": self.postgres.url(self.database, f"checkrein_{role}"),
            "CHECKREIN_MASTER_KEY_FILE": str(self.folder / "master.key"),
            "CHECKREIN_DATA": str(self.folder / "data"),
        }

    @contextmanager
    def worker(self) -> Iterator[Popen[bytes]]:
        """One more worker, until the block ends."""
        with self.started("worker", "work", "--metrics-port", "0", "--json") as process:
            yield process

    @contextmanager
    def started(self, role: str, *command: str) -> Iterator[Popen[bytes]]:
        """A process that has said its first line, which is JSON; ended in an orderly way."""
        process = Popen((*COMMAND, *command), env=self.environ(role), stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            json.loads(process.stdout.readline() or b"nothing")
            yield process
        finally:
            process.terminate()
            try:
                process.communicate(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            if process.stdout is not None:
                process.stdout.close()


@contextmanager
def production(*settings: str, quick: bool = False) -> Iterator[Production]:
    """Servers of one's own, migrated, with everything removed behind them.

    `settings` are more words on the command line of Redis. A `quick` installation is not about the
    disk: that of Redis is memory.
    """
    with tempfile.TemporaryDirectory(prefix="checkrein-production-") as folder:
        base = Path(folder)
        key = base / "master.key"
        key.write_bytes(secrets.token_bytes(32))
        key.chmod(0o600)
        database = postgres.PostgresServer()
        try:
            database.start()
            asyncio.run(database.prepare())
            with redis.in_memory() if quick else redis.one(base / "redis", *settings) as hot:
                yield Production(base, hot, database, postgres.TEMPLATE)
        finally:
            database.remove()


def main() -> int:
    """Run a command within an installation of its own."""
    with production() as installation, installation.worker():
        return subprocess.run(sys.argv[1:], env=installation.environ(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
