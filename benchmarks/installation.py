"""Gateways and workers on real servers, as processes of their own; and what each part costs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import Server, cpu_of_all, cpu_seconds, first_line, running
from gateway.storage.server.redis.journal import NAMESPACE
from gateway.storage.server.redis.keys import PARTITIONS, Places
from tests.servers.production import Production

COMMAND = str(Path(sys.executable).with_name("checkrein"))

QUIET = {"CHECKREIN_LOG_LEVEL": "error"}
# What rules cost is measured alone; the Intent Guard has a part of its own.
RULES_ALONE = {"CHECKREIN_INTENT": "off"}


class Installation:
    """What gateways and workers share: Redis (appendfsync always), PostgreSQL, and an API key."""

    def __init__(self, servers: Production) -> None:
        self._servers = servers
        self._key = self._made_key()
        self._gateways = 0
        self._workers: list[int] = []
        self.opa_pid: int | None = None

    @contextmanager
    def gateway(self, policies: Path, **settings: str) -> Iterator[Server]:
        """`checkrein serve`, as a user would start it."""
        self._gateways += 1
        environ = {
            **self._servers.environ(),
            "CHECKREIN_DATA": str(self._servers.folder / f"gateway{self._gateways}"),
            **QUIET,
            **RULES_ALONE,
            **{f"CHECKREIN_{name.upper()}": text for name, text in settings.items()},
        }
        command = [
            *(COMMAND, "serve", "--json", "--port", "0", "--metrics-port", "0"),
            *("--policies", str(policies)),
        ]
        with running(command, stdout=subprocess.PIPE, env=environ) as process:
            yield Server(first_line(process)["url"], process.pid, self._key)

    @contextmanager
    def worker(self) -> Iterator[None]:
        """`checkrein work`."""
        command = [COMMAND, "work", "--json", "--metrics-port", "0"]
        environ = {**self._servers.environ("worker"), **QUIET}
        with running(command, stdout=subprocess.PIPE, env=environ) as process:
            first_line(process)
            self._workers.append(process.pid)
            try:
                yield
            finally:
                self._workers.remove(process.pid)

    def cpu(self, server: Server) -> dict[str, float]:
        """Seconds of CPU so far, by part."""
        parts = {
            **cpu_seconds(server.pid),
            "redis": cpu_of_all(self._servers.redis.pid),
            "postgres": cpu_of_all(self._servers.postgres.pid),
        }
        if self._workers:
            parts["worker"] = sum(map(cpu_of_all, self._workers))
        if self.opa_pid is not None:
            parts["opa"] = cpu_of_all(self.opa_pid)
        return parts

    def waiting(self) -> int:
        """How many events nobody has recorded yet."""
        with self._servers.redis.client() as client:
            asked = client.pipeline(transaction=False)
            for partition in Places(NAMESPACE, PARTITIONS).partitions:
                asked.xlen(partition.log)
            return sum(asked.execute())

    def _made_key(self) -> str:
        command = [COMMAND, "keys", "create", "--environment", "production", "--json"]
        done = subprocess.run(
            command, env=self._servers.environ(), capture_output=True, text=True, check=True
        )
        text: str = json.loads(done.stdout)["api_key"]
        return text
