"""D3: the answer leaves the gateway after Redis has the decision on its disk, seen from the
kernel; and a Redis that does not flush is not called durable."""

from __future__ import annotations

import pytest

from tests.reliability.syscalls import by_preload, by_strace
from tests.reliability.test_ack_after_fsync import by_answer
from tests.reliability.wire import Wire
from tests.reliability_server.installation import Installation, installation

# A guard: how long the servers take to start says more about the machine than about them.
pytestmark = pytest.mark.timeout(900)

CHECKS = 25


class Both:
    """Redis and the gateway, to be started together. Without a worker: what it writes to Redis in
    its own time would stand between a flush and the answer that followed from it."""

    def __init__(self, running: Installation) -> None:
        self._running = running
        self.variables: dict[str, str] = {}
        assert running.worker.stop() == 0
        assert running.gateway.stop() == 0
        running.servers.redis.kill()

    def start(self) -> None:
        for part in (self._running.servers.redis, self._running.gateway):
            part.variables = {**part.variables, **self.variables}
            part.start()

    def traced(self) -> list[int]:
        return [self._running.servers.redis.pid, self._running.gateway.pid]


@pytest.mark.parametrize("traced", [by_strace, by_preload])
def test_an_answer_leaves_after_redis_has_flushed_its_decision(traced, tmp_path):
    """D3: for each of some checks, one after the other, on the real processes: first Redis writes
    to its append-only file, then a flush of it returns, then the gateway's response begins. And
    a Redis that is told to flush in its own time is seen to do so, and the reply says `memory`."""
    with installation(tmp_path) as running:
        both = Both(running)
        with traced(both, tmp_path, ".aof") as calls:
            flushed = _checks(running.wire(), "fsync")
            before = len(by_answer(calls()))
            with running.servers.redis.client() as hot:
                hot.config_set("appendfsync", "everysec")
            running.until_gateway_says("memory")
            told = len(by_answer(calls()))
            unflushed = _checks(running.wire(), "memory")
            assert running.gateway.stop() == 0
        answers = by_answer(calls())

    # Nothing is written for a request that decides nothing; the first one followed the start.
    assert answers[1] == []
    checks = answers[2:before]
    assert len(checks) == flushed
    for each in checks:
        assert "written" in each
        assert each[-1] == "synced", each
    # Whoever looks can see the difference.
    assert any(each[-1:] == ["written"] for each in answers[told : told + 2 + unflushed])


def test_a_redis_that_flushes_once_a_second_is_called_memory_from_the_start(tmp_path):
    """D3: the configuration is read when a gateway starts; no reply says `fsync` then."""
    with installation(tmp_path, ("--appendfsync", "everysec")) as running:
        _checks(running.wire(), "memory")
        running.until_recorded()
        running.verify()


def _checks(wire: Wire, durability: str) -> int:
    for _ in range(2):
        assert wire.get("/livez").status == 200
    for number in range(CHECKS):
        body = {"tool": "crm.read_customer", "arguments": {"id": number**3}}
        reply = wire.check(action=body).json
        assert (reply["enforced"], reply["durability"]) == ("allow", durability)
    wire.close()
    return CHECKS
