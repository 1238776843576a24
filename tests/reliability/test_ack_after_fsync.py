"""D3: the answer leaves after the decision is on the disk, seen from the kernel."""

from __future__ import annotations

import pytest

from tests.reliability.syscalls import by_preload, by_strace
from tests.reliability.wire import Wire

CHECKS = 25


@pytest.mark.parametrize("traced", [by_strace, by_preload])
def test_an_answer_leaves_after_its_decision_is_on_the_disk(traced, gateway, tmp_path):
    """D3: for each of some checks, one after the other, on the real process: first a write to the
    journal's write-ahead log, then a flush of it that has returned, then the response."""
    running = gateway()
    with traced(running, tmp_path) as calls:
        wire = Wire(running.port, running.key)
        for _ in range(2):
            assert wire.get("/livez").status == 200
        for number in range(CHECKS):
            body = {"tool": "crm.read_customer", "arguments": {"id": number**3}}
            reply = wire.check(action=body).json
            assert (reply["enforced"], reply["durability"]) == ("allow", "fsync")
        wire.close()
        assert running.stop() == 0
    answers = by_answer(calls())

    # Nothing is written for a request that decides nothing; the first one followed the start.
    assert answers[1] == []
    checks = answers[2 : CHECKS + 2]
    assert len(checks) == CHECKS
    for before in checks:
        assert "written" in before
        assert before[-1] == "synced", before


def by_answer(calls: list[str]) -> list[list[str]]:
    """What was done to the log before each answer, since the one before."""
    found: list[list[str]] = []
    since: list[str] = []
    for call in calls:
        if call == "answered":
            found.append(since)
            since = []
        else:
            since.append(call)
    return found
