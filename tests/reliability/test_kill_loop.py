"""D1, D2: kill -9 of anything, again and again, and not one acknowledged decision is lost.

`CHECKREIN_CAMPAIGN=1000` makes it a thousand kills instead of the few that every test run has.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter

import pytest

from tests.reliability import accounts, folders
from tests.reliability.process import GatewayProcess, checkrein, until
from tests.reliability.threads import meanwhile
from tests.reliability.wire import Wire
from tests.reliability.witnesses import Witness, seen

KILLS = int(os.environ.get("CHECKREIN_CAMPAIGN", "40"))
CLIENTS = 16
VICTIMS = {"gateway": 4, "worker": 3, "evaluator": 3, "everything": 2}


@pytest.mark.timeout(240 + 10 * KILLS)
def test_no_acknowledged_decision_is_lost_however_often_anything_is_killed(
    gateway, tmp_path, capsys
):
    """D1, D2, S1-23: 16 clients drive the whole gateway while its processes are killed at random
    moments, also within the start and with their whole group. Afterwards every acknowledged body is
    in the ledger once and says the same, every run is free of gaps, and the chains verify."""
    policies = folders.shipped_and(tmp_path / "policies", folders.PROOFS)
    running = gateway(policies=policies).start()
    witnesses = [Witness(running, tmp_path, str(number)) for number in range(CLIENTS)]

    with meanwhile(*(witness.run for witness in witnesses)):
        killed = _kill(running, random.Random())

    _drain(running)
    assert running.stop() == 0
    until(lambda: not running.members(), 30, f"no process is left of {running.members()}")
    told = seen(witnesses)
    runs = accounts.nothing_is_missing(running.data, told)
    checkrein("verify", "--data", str(running.data))

    kinds = Counter(each.kind for each in told)
    assert min(kinds[kind] for kind in ("check", "events", "result")) > 10
    assert sum(witness.retried for witness in witnesses) > 0
    with capsys.disabled():
        print(  # noqa: T201 - the counts are the evidence
            f"\n{sum(killed.values())} kills ({_words(killed)}), {running.started} starts; "
            f"acknowledged {_words(kinds)}; "
            f"{sum(witness.retried for witness in witnesses)} requests asked again; "
            f"{sum(map(len, runs.values()))} events in {len(runs)} runs, nothing missing"
        )


def _kill(running: GatewayProcess, chance: random.Random) -> Counter[str]:
    """Kill something every now and then, and start the gateway again whenever it is gone."""
    killed: Counter[str] = Counter()
    while killed.total() < KILLS:
        time.sleep(chance.uniform(0.3, 1.5))
        (victim,) = chance.choices(list(VICTIMS), list(VICTIMS.values()))
        if victim in ("worker", "evaluator"):
            killed[victim] += bool(_kill_one(running, victim, chance))
            continue
        _end(running, victim)
        killed[victim] += 1
        while chance.random() < 0.3:
            running.launch()
            time.sleep(chance.uniform(0, 0.8))
            _end(running, victim)
            killed["starting gateway"] += 1
        running.start()
    return killed


def _end(running: GatewayProcess, victim: str) -> None:
    running.kill() if victim == "gateway" else running.kill_group()


def _kill_one(running: GatewayProcess, part: str, chance: random.Random) -> int:
    pids = running.pids(part)
    if not pids:
        return 0
    try:
        os.kill(chance.choice(pids), signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def _drain(running: GatewayProcess) -> None:
    wire = Wire(running.port, running.key)
    until(lambda: wire.get("/readyz").json["waiting"] == 0, 60, "the journal is empty")
    wire.close()


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
