"""D7: one action id, asked for twice at the same moment, is one decision."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from tests.reliability import record
from tests.reliability.process import GatewayProcess
from tests.reliability.threads import together
from tests.reliability.wire import Reply, Wire

PAIRS = 200
RUNS = 4


def test_racing_twins_are_one_decision_and_other_arguments_are_refused(gateway):
    """D7: two hundred pairs with the same action id and attempt race for the same run. Both of a
    pair get the one decision that is recorded; the same id with other arguments is 409."""
    running = gateway().start()

    pairs = _race(running, lambda number, twin: _body(number))
    changed = Wire(running.port, running.key)
    for number in range(PAIRS):
        reply = changed.check(**_body(number, amount=1))
        assert (reply.status, reply.json["code"]) == (409, "action_id_conflict")
    changed.close()
    assert running.stop() == 0

    for one, other in pairs:
        assert (one.status, other.status) == (200, 200), (one, other)
        assert one.json == other.json
    recorded = _decisions(running)
    told = {one.json["action_id"]: [one.json["decision_id"]] for one, _ in pairs}
    assert len(told) == PAIRS
    assert recorded == told


def test_of_twins_with_other_arguments_one_is_refused(gateway):
    """D7: racing under one id for two different calls, exactly one of them is judged."""
    running = gateway().start()

    pairs = _race(running, lambda number, twin: _body(number, amount=1 + twin))
    assert running.stop() == 0

    for pair in pairs:
        assert sorted(reply.status for reply in pair) == [200, 409], pair
    assert [len(found) for found in _decisions(running).values()] == [1] * PAIRS


def test_of_racing_attempts_one_is_let_through(gateway):
    """D7, S1-18: two attempts at one action race, as when an agent was started twice. One is let
    through; the other is told that it cannot be known whether the call has happened."""
    running = gateway().start()

    pairs = _race(running, lambda number, twin: _body(number, attempt=f"attempt {twin}"))
    assert running.stop() == 0

    for pair in pairs:
        assert sorted(reply.json["enforced"] for reply in pair) == ["allow", "block"], pair
        stopped = next(reply for reply in pair if reply.json["enforced"] == "block")
        assert stopped.json["reasons"][0]["rule"] == "checkrein.idempotency"
    runs = record.read_runs(running.data)
    assert record.gaps(runs) == []
    priors = Counter(entry.body["prior"] for entry in record.of_type(runs, "decision"))
    assert priors == {None: PAIRS, "in_doubt": PAIRS}


def _race(running: GatewayProcess, body: Any) -> list[tuple[Reply, Reply]]:
    """Each pair at once, pair after pair; `body` is told the pair and which twin it is for."""
    start = threading.Barrier(2)

    def twin(which: int) -> list[Reply]:
        wire = Wire(running.port, running.key)
        wire.get("/livez")
        replies = []
        for number in range(PAIRS):
            start.wait(30)
            replies.append(wire.check(**body(number, which)))
        wire.close()
        return replies

    one, other = together([lambda: twin(0), lambda: twin(1)])
    return list(zip(one, other, strict=True))


def _body(number: int, amount: int = 0, attempt: str = "the one attempt") -> dict[str, Any]:
    action = {
        "id": f"action {number}",
        "attempt": attempt,
        "tool": "crm.read_customer",
        "arguments": {"id": number * 1_000_003, "word": f"{number:x}", "amount": amount},
    }
    return {"action": action, "run": {"id": f"run {number % RUNS} {number // 20}"}}


def _decisions(running: GatewayProcess) -> dict[str, list[str]]:
    """The decisions of each action, as they are recorded."""
    runs = record.read_runs(running.data)
    assert record.gaps(runs) == []
    found: dict[str, list[str]] = {}
    for entry in record.of_type(runs, "decision"):
        found.setdefault(entry.body["action_id"], []).append(entry.body["decision_id"])
    return found
