"""D8: gateways that are stopped and started again in turn, under load: no call fails."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from typing import Any

import pytest

from tests.many import recorded
from tests.many.asking import Client, named, new_run, says
from tests.many.conftest import Make
from tests.many.gateways import Installation, Served
from tests.reliability.process import until
from tests.reliability.threads import meanwhile
from tests.reliability.wire import Wire

TURNS = 4
# Enough that some of their checks are under way whenever a gateway is stopped.
CLIENTS = 12
# The one that is stopped, and a connection to the other from before its own restart; twice.
LOST_MOST = 4


def test_a_rolling_restart_fails_no_call_and_loses_nothing(
    gateway: Make, installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two gateways, SIGTERM to each of them in turn. A client that finds one closed, or is told to
    come again, asks the other: each call is answered, no answer is cut in two, no decision is made
    and kept from who asked, and what was answered is recorded once."""
    gateways = [gateway(f"rolling{number}") for number in range(2)]
    for each in gateways:
        each.launch()
    for each in gateways:
        each.wait_ready()
    clients = [_Caller(gateways, number) for number in range(CLIENTS)]

    with meanwhile(*(client.run for client in clients)):
        for turn in range(TURNS):
            time.sleep(0.5)
            each = gateways[turn % 2]
            assert each.stop() == 0
            each.start()
            _is_ready(each)

    given = [reply for client in clients for reply in client.given]
    recorded.decisions(installation, given)
    lost = max(client.most for client in clients)
    again = sum(client.again for client in clients)
    assert again > 0, "no client ever met a gateway that was stopped"
    assert lost <= LOST_MOST
    # Redis may be late on a busy machine; nothing else keeps a gateway from answering.
    refusals = sum((client.refusals for client in clients), Counter())
    assert set(refusals) <= {"journal_unavailable"}
    assert sum(client.dropped for client in clients) == 0
    assert len({each["decision_id"] for each in given}) == len(given)
    for each in gateways:
        assert each.started == 1 + TURNS // 2
    with capsys.disabled():
        print(  # noqa: T201 - the counts are the evidence
            f"\n{TURNS} restarts, {len(given)} calls answered, 0 failed, {again} asked the other "
            f"gateway, at most {lost} times in a row nobody answered; {refusals.total()} times 503"
        )


def _is_ready(each: Served) -> None:
    wire = Wire(each.port, each.key)
    until(lambda: wire.get("/readyz").status == 200, 60, "it is ready")
    wire.close()


class _Caller:
    """Asks either gateway; a half answer would raise."""

    def __init__(self, gateways: list[Served], number: int) -> None:
        self._client = Client(gateways)
        self._number = number
        self._random = random.Random(number)
        self.given: list[dict[str, Any]] = []
        self.refusals = self._client.refusals
        self.most = 0
        self.again = 0
        self.dropped = 0

    def run(self, ended: threading.Event) -> None:
        run = new_run()
        while not ended.is_set():
            body = {"run": run, "action": named(says(self._random.choice(["none", "warn"])))}
            answered = self._client.anywhere(self._random.randrange(2), **body)
            self.given.append(answered.decision)
            self.most = max(self.most, answered.lost)
            self.again += answered.lost > 0
            self.dropped += answered.dropped
        self._client.close()
