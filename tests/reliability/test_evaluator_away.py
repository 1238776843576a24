"""D4: without an evaluator every check is still answered, by the fail mode, and nothing hangs."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest

from tests.reliability import folders, record
from tests.reliability.process import GatewayProcess, make_key, until
from tests.reliability.threads import meanwhile, together
from tests.reliability.wire import Reply, Wire

ENOUGH = 2
# Far more than the gateway needs; a check that takes longer is one that hangs.
HANG_SECONDS = 20


class Cell(NamedTuple):
    """An environment and a side effect, and what is done there with and without an evaluator."""

    environment: str
    tool: str
    well: str
    ill: str


MATRIX = (
    Cell("development", "pay.out", well="allow", ill="allow"),
    Cell("development", "files.get", well="allow", ill="allow"),
    Cell("staging", "pay.out", well="warn", ill="warn"),
    Cell("staging", "files.get", well="warn", ill="warn"),
    Cell("production", "pay.out", well="require_approval", ill="block"),
    Cell("production", "files.get", well="require_approval", ill="warn"),
)
MANIFEST = """\
environments:
  development: {mode: log, fail: {"*": open}}
  staging: {mode: warn, fail: {"*": open}}
  production: {mode: block, fail: {"*": closed, read: open}}
tools:
  - {match: pay.*, side_effects: [payment]}
  - {match: files.*, side_effects: [read]}
"""
# What the rule says tells a judgement from a failure in every mode.
MARK = 'verdict contains {"effect": "require_approval", "reason": "judged"}'
POLICY = {"policy.yaml": MANIFEST, "rules/mark.rego": folders.rule("mark.it", '"*"', MARK)}


def _kill(running: GatewayProcess, ended: threading.Event) -> None:
    while not ended.wait(0.01):
        running.signal_all("evaluator", signal.SIGKILL)


def _stop(running: GatewayProcess, ended: threading.Event) -> None:
    while not ended.wait(0.01):
        running.signal_all("evaluator", signal.SIGSTOP)


def _slow_down(running: GatewayProcess, ended: threading.Event) -> None:
    """Stand still most of the time, now shorter and now longer than an evaluation may take."""
    for still in (0.1, 0.6) * 1000:
        running.signal_all("evaluator", signal.SIGSTOP)
        ended.wait(still)
        running.signal_all("evaluator", signal.SIGCONT)
        if ended.wait(0.02):
            return


@pytest.mark.parametrize("hurt", [_kill, _stop, _slow_down])
def test_without_an_evaluator_the_fail_mode_answers_and_nothing_hangs(hurt, gateway, tmp_path):
    """D4, E4, reliability 5: evaluators that are killed as soon as they live, that stand still, or
    that are too slow. Each answer is either the judgement or the fail mode of its environment and
    side effect, and says which; a failure is recorded as such; afterwards all is as before."""
    policies = folders.write(tmp_path / "policies", POLICY)
    running = gateway(policies=policies).start()
    keys = {"production": running.key}
    keys |= {name: make_key(running, name) for name in ("development", "staging")}
    wires = {cell: Wire(running.port, keys[cell.environment], HANG_SECONDS) for cell in MATRIX}
    for cell in MATRIX:
        assert _is_well(cell, wires[cell])

    with meanwhile(lambda ended: hurt(running, ended)):
        degraded = together([partial(_until_degraded, cell, wires[cell]) for cell in MATRIX])

    running.signal_all("evaluator", signal.SIGCONT)
    for cell, wire in wires.items():
        until(partial(_is_well, cell, wire), 30, "it is well again")
        wire.close()
    assert running.stop() == 0
    _are_recorded(running, [reply for replies in degraded for reply in replies])


def _is_well(cell: Cell, wire: Wire) -> bool:
    return not _is_degraded(cell, _ask(cell, wire))


def _until_degraded(cell: Cell, wire: Wire) -> list[Reply]:
    """Ask until the evaluator was missing often enough; an answer must be right in any case."""
    found: list[Reply] = []
    deadline = time.monotonic() + 60
    while len(found) < ENOUGH:
        assert time.monotonic() < deadline, "the evaluator is never missing"
        reply = _ask(cell, wire)
        if _is_degraded(cell, reply):
            found.append(reply)
    return found


def _ask(cell: Cell, wire: Wire) -> Reply:
    reply = wire.check(action={"tool": cell.tool, "arguments": {"n": 7}})
    assert reply.status == 200, reply
    return reply


def _is_degraded(cell: Cell, reply: Reply) -> bool:
    """Whether the evaluator was missing. Either answer must be the one that belongs to the cell."""
    answer = reply.json
    (reason,) = answer["reasons"]
    if reason["reason"] == "judged":
        assert (answer["enforced"], answer["degraded"]) == (cell.well, []), (cell, answer)
        return False
    assert answer["enforced"] == cell.ill, (cell, answer)
    (degraded,) = answer["degraded"]
    assert degraded.rpartition(":")[0] == "engine:mark.it"
    return True


def _are_recorded(running: GatewayProcess, replies: list[Reply]) -> None:
    """The failure is in the record, with what was answered."""
    runs = record.read_runs(running.data)
    recorded = {entry.body["decision_id"]: entry for entry in record.of_type(runs, "decision")}
    for reply in replies:
        entry = recorded[reply.json["decision_id"]]
        assert entry.body["degraded"] == reply.json["degraded"]
        assert any(each.get("failure") for each in _results(entry.content["rounds"]))


def _results(rounds: list[Any]) -> Iterator[dict[str, Any]]:
    for each in rounds:
        yield from each["results"]
