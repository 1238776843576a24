"""D1, D2: kill -9 of gateway, worker, Redis and PostgreSQL, and nothing acknowledged is lost.

`CHECKREIN_CAMPAIGN=1000` makes it a thousand kills, in rounds on an installation of their own;
`CHECKREIN_SEED` repeats the order of a round that was printed.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.reliability import accounts
from tests.reliability.process import until
from tests.reliability.threads import meanwhile
from tests.reliability.witnesses import PAUSE, Witness, seen
from tests.reliability_server.installation import Installation, installation

KILLS = int(os.environ.get("CHECKREIN_CAMPAIGN", "40"))
# What clients are told is compared round by round, so that its size does not grow without an end.
ROUND = 100
ROUNDS = [min(ROUND, KILLS - done) for done in range(0, KILLS, ROUND)]
CLIENTS = 16
VICTIMS = {"gateway": 3, "worker": 3, "redis": 3, "postgres": 3}
# How often another one dies at the same time.
TOGETHER = 0.25


@pytest.mark.timeout(600 + 20 * ROUND)
@pytest.mark.parametrize("kills", ROUNDS, ids=[f"round{n}" for n in range(len(ROUNDS))])
def test_no_acknowledged_decision_is_lost_whatever_is_killed_in_whatever_order(
    kills, tmp_path, capsys
):
    """D1, D2: 16 clients go on under ids of their own while each part of the installation, alone or
    with others, is killed at random moments and started again. Afterwards every acknowledged body
    is in the ledger once and says the same, every run is free of gaps, every action was judged
    once, counters are the sum of the events, and the chains verify for a worker."""
    seed = int(os.environ.get("CHECKREIN_SEED", random.randrange(2**32)))
    _say(capsys, f"\nCHECKREIN_SEED={seed}")
    # A long round need not be a dense one.
    pause = PAUSE if kills < ROUND else 10 * PAUSE
    with installation(tmp_path) as running:
        witnesses = [Witness(running, tmp_path, str(n), pause) for n in range(CLIENTS)]

        with meanwhile(*(witness.run for witness in witnesses)):
            killed = _kill(running, random.Random(seed), kills)
            _until_ready(running)

        running.until_recorded()
        told = seen(witnesses)
        runs = running.runs()
        accounts.all_is_recorded(runs, told)
        assert running.counters() == accounts.sum_of_events(runs)
        verified = running.verify()

    kinds = Counter(each.kind for each in told)
    assert min(kinds[kind] for kind in ("check", "events", "result")) > 10
    assert sum(witness.retried for witness in witnesses) > 0
    assert {each.reply["durability"] for each in told if each.kind == "check"} == {"fsync"}
    _say(
        capsys,
        f"{sum(killed.values())} kills ({_words(killed)}); acknowledged {_words(kinds)}; "
        f"{sum(witness.retried for witness in witnesses)} requests asked again; "
        f"{sum(map(len, runs.values()))} events in {len(runs)} runs, nothing missing; "
        f"verified {verified['events']} events",
    )


def _kill(running: Installation, chance: random.Random, kills: int) -> Counter[str]:
    """Kill one or more every now and then, and start them again at once, servers first."""
    killed: Counter[str] = Counter()
    while killed.total() < kills:
        time.sleep(chance.uniform(0.3, 1.5))
        victims = {*chance.choices(list(VICTIMS), list(VICTIMS.values()))}
        while chance.random() < TOGETHER:
            victims.add(chance.choice(list(VICTIMS)))
        for victim in sorted(victims, key=lambda _: chance.random()):
            _parts(running)[victim][0]()
            killed[victim] += 1
        for victim, (_, start) in _parts(running).items():
            if victim in victims:
                start()
        # Whoever lost a server under it waits for it; nobody falls with another.
        assert running.gateway.is_running(), running.gateway.tail()
        assert running.worker.is_running(), running.worker.tail()
    return killed


def _parts(running: Installation) -> dict[str, tuple[Callable[[], None], Callable[[], object]]]:
    """How each of them is killed and started, in the order in which they need each other."""
    hot, database = running.servers.redis, running.servers.postgres
    return {
        "redis": (hot.kill, hot.start),
        "postgres": (database.kill, database.start),
        "gateway": (running.gateway.kill, running.gateway.start),
        "worker": (running.worker.kill, running.worker.start),
    }


def _until_ready(running: Installation) -> None:
    wire = running.wire()
    until(lambda: wire.get("/readyz").status == 200, 60, "the gateway is ready")
    wire.close()


def _say(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        print(text)  # noqa: T201 - the counts are the evidence


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
