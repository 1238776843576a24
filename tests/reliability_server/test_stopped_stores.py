"""D5, D6: a worker, a Redis or a database that stands still costs no memory and nothing that was
acknowledged; whoever cannot be answered is told so, and when to come back."""

from __future__ import annotations

import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.reliability import accounts, hostile, record
from tests.reliability.process import until
from tests.reliability.threads import meanwhile
from tests.reliability.wire import Reply, Wire
from tests.reliability.witnesses import Witness, seen
from tests.reliability_server.installation import Installation, installation

# A guard: how long the servers take to start says more about the machine than about them.
pytestmark = pytest.mark.timeout(900)

CLIENTS = 24
ROUND_SECONDS = 3
# Of the gateway process. It needs some 90 megabytes when nobody wants anything.
CEILING_MEGABYTES = 300
GROWTH_MEGABYTES = 25
WAITING_MAX = 120


def test_memory_stays_bounded_while_stores_stand_still(tmp_path):
    """D5: 24 clients that ask as fast as they are answered and 200 slow ones, while the worker,
    Redis and the database stand still in turn, round after round. Answers are decisions; without
    Redis 503 with a time to come back in production, and decisions from the spool in staging. The
    gateway's memory stays under a ceiling and, once warm, does not grow from round to round.
    Afterwards everybody is answered, and everything that was acknowledged is recorded once."""
    with installation(tmp_path) as running:
        gateway = running.gateway.pid
        staging = running.make_key("staging")
        askers = [
            _Asker(running, n, staging if n % 3 == 0 else running.key) for n in range(CLIENTS)
        ]
        slow = [
            partial(work, running.port, running.key)
            for work in (hostile.slow_bodies, hostile.slow_heads)
        ]
        rounds: list[float] = []
        peak = 0.0

        with meanwhile(*(asker.run for asker in askers), *slow):
            _measured(running, ROUND_SECONDS)
            for _ in range(3):
                during = []
                for stop, go_on in _stores(running):
                    stop()
                    during += _measured(running, ROUND_SECONDS)
                    go_on()
                    during += _measured(running, ROUND_SECONDS / 3)
                rounds.append(statistics.median(during))
                peak = max(peak, *during)

        assert running.gateway.pid == gateway
        assert running.gateway.is_running(), running.gateway.tail()
        assert peak < CEILING_MEGABYTES, (peak, rounds)
        assert rounds[-1] < rounds[0] + GROWTH_MEGABYTES, rounds
        _is_answered_again(running)
        said = sum((asker.said for asker in askers), Counter[str]())
        assert min(said[each] for each in ("fsync", "spooled", "journal_unavailable")) > 10, said
        assert said.keys() <= {"fsync", "spooled", "journal_unavailable", "overloaded"}, said
        running.until_unspooled()
        running.until_recorded()
        runs = running.runs()
        assert record.gaps(runs) == []
        found = [entry.body["decision_id"] for entry in record.of_type(runs, "decision")]
        given = {decision for asker in askers for decision in asker.given}
        assert given <= set(found)
        assert len(found) == len(set(found))
        running.verify()


def test_more_than_may_wait_for_a_stopped_worker_is_refused_and_nothing_is_lost(tmp_path):
    """D6: with the worker stopped and a small bound, exactly as many events of a run are taken in
    as may wait; everybody else is told 503 and when to come back; metrics and readiness show the
    lag. When the worker goes on, so does everybody, and all that was acknowledged is recorded."""
    with installation(tmp_path, journal_waiting_max=WAITING_MAX) as running:
        running.worker.signal(signal.SIGSTOP)
        wire = running.wire()
        given: list[str] = []
        while (reply := _small(wire, len(given))).status == 200:
            given.append(reply.json["decision_id"])
            assert len(given) <= WAITING_MAX
        _is_refused(reply)
        # A run begins with an event of its own.
        assert len(given) == WAITING_MAX - 1 == running.waiting() - 1
        until(lambda: running.metric("journal_waiting_events") == WAITING_MAX, 30, "the gauge")
        until(lambda: running.metric("journal_oldest_seconds") > 0, 30, "the age of the oldest")
        witnesses = [Witness(running, tmp_path, str(number)) for number in range(4)]
        with meanwhile(*(witness.run for witness in witnesses)):
            time.sleep(2)
            assert sum(witness.told for witness in witnesses) == 0
            assert sum(witness.retried for witness in witnesses) > 0
            assert running.waiting() == WAITING_MAX
            running.worker.signal(signal.SIGCONT)
            until(lambda: all(witness.told > 20 for witness in witnesses), 60, "answers")
        assert _small(wire, -1).status == 200
        wire.close()
        running.until_recorded()

        runs = running.runs()
        accounts.all_is_recorded(runs, seen(witnesses))
        found = {entry.body["decision_id"] for entry in record.of_type(runs, "decision")}
        assert set(given) <= found
        running.verify()


class _Asker:
    """One client that asks as fast as it is answered. `said` counts what it was told: the
    durability of a decision, the code of a problem. `given` are its decisions."""

    def __init__(self, running: Installation, number: int, key: str) -> None:
        self.said: Counter[str] = Counter()
        self.given: list[str] = []
        self._wire = running.wire(key)
        self._number = number

    def run(self, ended: threading.Event) -> None:
        asked = 0
        while not ended.is_set():
            asked += 1
            reply = self._wire.check(**self._body(asked))
            if reply.status == 200:
                self.said[reply.json["durability"]] += 1
                self.given.append(reply.json["decision_id"])
                continue
            _is_refused(reply)
            self.said[reply.json["code"]] += 1
            time.sleep(0.05)
        self._wire.close()

    def _body(self, asked: int) -> dict[str, Any]:
        arguments = {"id": asked, "text": f"{self._number} {asked} ".ljust(2000, "x")}
        return {
            "run": {"id": f"{self._number}/{asked // 50}"},
            "action": {
                "id": f"{self._number} {asked}",
                "tool": "crm.read_customer",
                "arguments": arguments,
            },
        }


def _stores(running: Installation) -> list[tuple[Callable[[], object], Callable[[], object]]]:
    """How each of them is made to stand still, and to go on."""
    worker, servers = running.worker, running.servers
    return [
        (partial(worker.signal, signal.SIGSTOP), partial(worker.signal, signal.SIGCONT)),
        (servers.redis.pause, servers.redis.go_on),
        (
            partial(servers.postgres.signal, signal.SIGSTOP),
            partial(servers.postgres.signal, signal.SIGCONT),
        ),
    ]


def _measured(running: Installation, seconds: float) -> list[float]:
    """The gateway's memory, looked at again and again."""
    found = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found.append(running.gateway.resident_megabytes())
        time.sleep(0.1)
    return found


def _is_refused(reply: Reply) -> None:
    """A refusal that says why, and when to come back."""
    assert reply.status == 503, reply
    assert reply.json["code"] in ("journal_unavailable", "overloaded"), reply
    assert int(reply.headers["retry-after"]) > 0, reply


def _is_answered_again(running: Installation) -> None:
    wire = running.wire()
    until(lambda: _small(wire, 0).status == 200, 60, "an answer")
    for number in range(1, 20):
        assert _small(wire, number).status == 200
    wire.close()


def _small(wire: Wire, number: int) -> Reply:
    action = {"tool": "crm.read_customer", "arguments": {"id": number}}
    return wire.check(run={"id": "small"}, action=action)
