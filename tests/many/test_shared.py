"""What gateways share: the last unit of a budget, and a halt."""

from __future__ import annotations

import random
import threading
import time
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from tests.many.asking import LET_THROUGH, Client, named, new_run, says
from tests.many.gateways import Served
from tests.reliability.threads import meanwhile, together

ROUNDS = 100
HALTS = 15


def test_two_gateways_never_overspend_the_last_unit_of_a_budget(
    two: list[Served], capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred rounds: each user may make one call a day, and asks both gateways at once, in runs
    of its own. Never are both let through, and without a wait one of them always is."""
    client = Client(two)
    counted = {0: 0, 1: 0}
    for _ in range(ROUNDS):
        user, before = str(uuid4()), client.again
        action = {"tool": "limited.call", "arguments": {}}
        pair = together(
            [
                partial(client.check, at, run=new_run(user_id=user), action=named(action))
                for at in (0, 1)
            ]
        )

        let_through = sum(each["enforced"] in LET_THROUGH for each in pair)
        stopped = [each for each in pair if each["enforced"] not in LET_THROUGH]
        assert all(each["enforced"] == "block" for each in stopped)
        assert {one["rule"] for each in stopped for one in each["reasons"]} <= {
            "budgets.run_budget"
        }
        # Racing reservations may each see the other's and step back; overspending is the failure.
        assert let_through <= 1
        counted[let_through] += 1
        last = client.check(0, run=new_run(user_id=user), action=named(action))
        if let_through:
            assert last["enforced"] == "block", last
        assert client.again >= before

    assert counted[1] > ROUNDS // 2
    client.close()
    with capsys.disabled():
        print(  # noqa: T201 - the counts are the evidence
            f"\n{ROUNDS} races for one unit: one let through {counted[1]} times, "
            f"none {counted[0]} times, both never; {client.again} asked again"
        )


def test_after_a_halt_no_gateway_allows_in_the_run_or_below_it(
    two: list[Served], capsys: pytest.CaptureFixture[str]
) -> None:
    """One gateway halts a run while the other is asked in it, in a run below and in one below that.
    Whatever was asked after the halt was told is not let through."""
    client = Client(two)
    seen = 0
    for number in range(HALTS):
        root = new_run()
        child = new_run(parent_run_id=root["id"])
        leaf = new_run(parent_run_id=child["id"])
        for run in (root, child, leaf):
            assert client.check(number % 2, run=run, action=says())["enforced"] == "allow"
        askers = [_Asker(two[1 - number % 2], run) for run in (root, child, leaf)]

        with meanwhile(*(asker.run for asker in askers)):
            time.sleep(random.uniform(0, 0.05))
            halt = client.check(number % 2, run=root, action=named(says("halt")))
            told_at = time.monotonic()
            time.sleep(0.15)

        assert halt["enforced"] == "halt"
        for run in (root, child, leaf, new_run(parent_run_id=leaf["id"])):
            for at in (0, 1):
                assert client.check(at, run=run, action=named(says()))["enforced"] == "halt"
        for asker in askers:
            after = [enforced for at, enforced in asker.told if at > told_at]
            assert set(after) <= {"halt"}
            seen += len(after)
    client.close()
    assert seen > HALTS
    with capsys.disabled():
        print(f"\n{HALTS} halts, {seen} checks elsewhere after them")  # noqa: T201 - evidence


class _Asker:
    """Asks one gateway in one run; `told` says when it was asked, and what came of it."""

    def __init__(self, gateway: Served, run: dict[str, Any]) -> None:
        self._client = Client([gateway])
        self._run = run
        self.told: list[tuple[float, str]] = []

    def run(self, ended: threading.Event) -> None:
        while not ended.is_set():
            asked_at = time.monotonic()
            reply = self._client.check(0, run=self._run, action=named(says()))
            self.told.append((asked_at, reply["enforced"]))
        self._client.close()
