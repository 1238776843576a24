"""D5: whatever arrives, memory stays bounded, and whoever behaves is answered."""

from __future__ import annotations

import signal
import time
from functools import partial
from typing import Any

from tests.reliability import hostile, record
from tests.reliability.process import GatewayProcess, until
from tests.reliability.threads import meanwhile, together
from tests.reliability.wire import Reply, Wire

ROUNDS = 3
ROUND_SECONDS = 6
# Of the gateway process. It needs some 70 megabytes when nobody wants anything.
CEILING_MEGABYTES = 300
GROWTH_MEGABYTES = 40
CAP = 4
LARGE = 400


def test_memory_stays_bounded_under_hostile_load(gateway):
    """D5, S18: 200 clients that never finish, floods of heads, trailers, bodies and requests, deaf
    readers, the largest bodies there may be, and a worker that stands still meanwhile. A client
    that behaves is answered throughout; memory stays under a ceiling and, once warm, does not
    grow from round to round; afterwards everybody is answered."""
    running = gateway().start()
    _make_large_run(running)
    hostiles = [
        hostile.slow_bodies,
        hostile.slow_heads,
        hostile.deaf_readers,
        *[hostile.floods] * 2,
        *[hostile.large_checks] * 4,
    ]
    peak = 0.0
    after: list[float] = []

    for _ in range(ROUNDS):
        # A worker that holds the write lock when it is stopped is another story: it is idle now.
        until(lambda: record.waiting(running.data) == 0, 60, "the journal is empty")
        running.signal_all("worker", signal.SIGSTOP)
        works = [partial(work, running.port, running.key) for work in hostiles]
        with meanwhile(*works):
            peak = max(peak, _behave(running))
        running.signal_all("worker", signal.SIGCONT)
        until(lambda: record.waiting(running.data) == 0, 60, "the journal is empty")
        after.append(running.resident_megabytes())

    assert peak < CEILING_MEGABYTES, (peak, after)
    assert after[-1] < after[0] + GROWTH_MEGABYTES, after
    wire = Wire(running.port, running.key)
    for number in range(50):
        assert _small(wire, number).status == 200
    wire.close()
    assert running.stop() == 0


def test_what_is_kept_of_large_checks_is_bounded(gateway):
    """D5: checks under an id are remembered for those who ask again, and every reply to these holds
    changed arguments of a quarter of a megabyte. They are recorded, and not all kept in memory; who
    asks again is told the same."""
    running = gateway().start()
    wire = Wire(running.port, running.key)
    bodies = [_large(number) for number in range(LARGE)]
    for body in bodies[:50]:
        assert wire.check(**body).json["enforced"] == "modify"
    before = running.resident_megabytes()

    replies = [wire.check(**body).json for body in bodies]

    assert {reply["enforced"] for reply in replies} == {"modify"}
    assert running.resident_megabytes() < before + GROWTH_MEGABYTES
    for number in (0, LARGE // 2, LARGE - 1):
        again = wire.check(**bodies[number]).json
        assert {**again, "elapsed_ms": 0} == {**replies[number], "elapsed_ms": 0}
    wire.close()
    assert running.stop() == 0


def test_more_than_can_be_judged_at_once_is_sent_away_and_comes_back(gateway):
    """D5: with a low cap and evaluators that stand still, what comes on top is told `overloaded`
    and when to come back, undecided; what was in flight is answered; afterwards everybody is."""
    running = gateway(max_concurrent_checks=CAP).start()
    running.signal_all("evaluator", signal.SIGSTOP)

    replies = together([partial(_ask_once, running, number) for number in range(8 * CAP)])

    answered = [reply for reply in replies if reply.status == 200]
    refused = [reply for reply in replies if hostile.is_overloaded(reply)]
    assert len(answered) >= CAP
    assert refused
    assert len(answered) + len(refused) == len(replies)
    running.signal_all("evaluator", signal.SIGCONT)
    for number in range(8 * CAP):
        until(partial(_is_answered, running, number), 20, "an answer")
    assert running.stop() == 0
    decisions = record.of_type(record.read_runs(running.data), "decision")
    assert len(decisions) == len(answered) + 8 * CAP


def _large(number: int) -> dict[str, Any]:
    arguments = {
        "to": "a@example.com",
        "bcc": ["b@elsewhere.net"],
        "text": f"{number} ".ljust(240_000, "abcdefgh"[number % 8]),
    }
    action = {"id": f"large {number}", "tool": "email.send", "arguments": arguments}
    return {"run": {"id": f"run {number // 4}"}, "action": action}


def _behave(running: GatewayProcess) -> float:
    """A client as it should be, while the others are not; the most memory seen meanwhile."""
    wire = Wire(running.port, running.key)
    peak, number = 0.0, 0
    ends = time.monotonic() + ROUND_SECONDS
    while time.monotonic() < ends:
        number += 1
        reply = _small(wire, number)
        assert reply.status == 200, reply
        peak = max(peak, running.resident_megabytes())
    assert number > 3
    wire.close()
    return peak


def _small(wire: Wire, number: int) -> Reply:
    return wire.check(action={"tool": "crm.read_customer", "arguments": {"id": number}})


def _ask_once(running: GatewayProcess, number: int) -> Reply:
    wire = Wire(running.port, running.key)
    reply = _small(wire, number)
    wire.close()
    return reply


def _is_answered(running: GatewayProcess, number: int) -> bool:
    return _ask_once(running, number).status == 200


def _make_large_run(running: GatewayProcess) -> None:
    wire = Wire(running.port, running.key)
    for number in range(40):
        reply = wire.check(
            run={"id": "large"},
            action={"tool": "notes.find", "arguments": {"n": number, "text": str(number) * 9}},
            context=[{"text": chr(97 + number % 26) * 100_000 + str(number)}],
        )
        assert reply.status == 200
    wire.close()
