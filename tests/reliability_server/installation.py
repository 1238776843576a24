"""A whole installation to be hurt: Redis, PostgreSQL, a gateway and a worker, each on its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from gateway import config
from gateway.ambient import SystemAmbient
from gateway.storage.server.redis.journal import NAMESPACE
from gateway.storage.server.redis.keys import Partition, Places, key_of
from gateway.wiring import server
from tests.reliability import folders, record
from tests.reliability.process import COMMAND, ROOT, free_port, until
from tests.reliability.record import Runs
from tests.reliability.wire import Wire
from tests.reliability_server.parts import Part
from tests.servers.production import Production, production

RECORD_SECONDS = 120


class Installation(Struct, frozen=True):
    """The servers, one gateway and one worker. `key` is of the environment production."""

    servers: Production
    gateway: Part
    worker: Part
    port: int
    metrics_port: int
    key: str

    def wire(self, key: str = "") -> Wire:
        return Wire(self.port, key or self.key)

    def partitions(self) -> list[Partition]:
        return Places(NAMESPACE, 64).partitions

    def waiting(self) -> int:
        """Events in the log that no worker has settled."""
        with self.servers.redis.client() as hot:
            return sum(_count(hot.xlen(each.log)) for each in self.partitions())

    def until_empty(self) -> None:
        """Wait until no event waits for the worker."""
        until(lambda: self.waiting() == 0, RECORD_SECONDS, "the journal is empty")

    def until_recorded(self) -> None:
        """Wait until the worker has recorded everything, and a gateway has moved all counters."""
        self.until_empty()
        until(lambda: self._moves() == 0, RECORD_SECONDS, "all counters are moved")

    def until_unspooled(self) -> None:
        """Wait until the journal has everything that was given from the spool."""
        wire = self.wire()
        until(lambda: wire.get("/readyz").json.get("spooled") == 0, RECORD_SECONDS, "no spool")
        wire.close()

    def until_gateway_says(self, durability: str) -> None:
        """Wait until the gateway has noticed what Redis promises."""
        wire = self.wire()
        action = {"tool": "crm.read_customer", "arguments": {"id": durability}}
        until(
            lambda: wire.check(action=action).json.get("durability") == durability, 60, durability
        )
        wire.close()

    def counters(self) -> dict[tuple[str, str], int]:
        """The total of each shared counter that has one, by project and name."""
        found = {}
        with self.servers.redis.client() as hot:
            for key in hot.scan_iter(f"{NAMESPACE}:{{c:*", count=1000):
                place = key.split(b"}:", 1)[1]
                total = None if place.endswith(b"|moved") else hot.hget(key, "t")
                if total is not None:
                    found[key_of(place)] = int(total)
        return found

    def runs(self) -> Runs:
        """Everything that is recorded, read as `checkrein verify` reads it."""
        return asyncio.run(self._runs())

    def verify(self) -> dict[str, Any]:
        """What `checkrein verify` says, in the role of a worker. It must find nothing."""
        told: dict[str, Any] = json.loads(self.checkrein("worker", "verify", "--json"))
        assert told["ok"] is True, told
        return told

    def checkrein(self, role: str, *words: str) -> str:
        """What a command prints, in one of the roles."""
        return checkrein(self.servers.environ(role), *words)

    def make_key(self, environment: str) -> str:
        """A key of an environment, once the gateway has learned of it."""
        key = make_key(self.servers, environment)
        wire = self.wire(key)
        until(lambda: wire.get("/v1/runs").status == 200, 60, "the new key is known")
        wire.close()
        return key

    def metric(self, name: str) -> float:
        """A metric of the gateway, by its name without the prefix."""
        page = Wire(self.metrics_port).get("/metrics").body.decode()
        (line,) = [line for line in page.splitlines() if line.startswith(f"checkrein_{name} ")]
        return float(line.split()[1])

    def _moves(self) -> int:
        with self.servers.redis.client() as hot:
            return sum(_count(hot.hlen(each.key(b"moves"))) for each in self.partitions())

    async def _runs(self) -> Runs:
        settings = config.load(self.servers.environ("worker")).settings
        async with server.record_stores(settings, SystemAmbient(), everything=True) as stores:
            return await record.all_of(stores.ledger, stores.keyring)


def _as_they_are(servers: Production) -> Production:
    return servers


@contextmanager
def installation(
    folder: Path,
    redis_settings: tuple[str, ...] = (),
    before: Callable[[Production], Production] = _as_they_are,
    *,
    started: bool = True,
    **settings: object,
) -> Iterator[Installation]:
    """All of it, started unless that is not wanted; `settings` are the gateway's. Nothing of it is
    left behind. `before` is done to the servers before anything else works on them."""
    policies = folders.shipped_and(folder / "policies", folders.PROOFS)
    given = {f"CHECKREIN_{name.upper()}": str(value) for name, value in settings.items()}
    port, metrics_port = free_port(), free_port()
    with production(*redis_settings) as made, ExitStack() as stack:
        servers = before(made)
        gateway = Part(
            {**servers.environ("gateway"), **given},
            folder / "gateway.log",
            *("serve", "--policies", str(policies)),
            *("--port", str(port), "--metrics-port", str(metrics_port)),
        )
        worker = Part(
            servers.environ("worker"), folder / "worker.log", "work", "--metrics-port", "0"
        )
        key = make_key(servers, "production")
        for part in (gateway, worker):
            stack.callback(part.end)
            if started:
                part.start()
        yield Installation(servers, gateway, worker, port, metrics_port, key)


def make_key(servers: Production, environment: str) -> str:
    """A new API key of an environment."""
    made = checkrein(servers.environ(), "keys", "create", "--environment", environment, "--json")
    key: str = json.loads(made)["api_key"]
    return key


def checkrein(environ: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [COMMAND, *words], capture_output=True, check=False, cwd=ROOT, env=environ, timeout=300
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")
    return done.stdout.decode()


def _count(answer: Any) -> int:
    assert isinstance(answer, int)
    return answer
