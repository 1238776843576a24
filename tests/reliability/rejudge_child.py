"""python -m tests.reliability.rejudge_child DATA: judge every recorded decision of a folder again.

Prints one line of JSON. The clock of this process is set to another year for as long as it judges.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import time_machine

from gateway.domain.ruleset import Ruleset
from gateway.engines.embedded.engine import EmbeddedEngine
from gateway.policies import load
from gateway.replay.rejudge import recorded_decision, rejudge
from tests.reliability.record import Opened, opened, query

# Given as a number, because a date would bring its own time zone along.
ANOTHER_TIME = datetime.datetime(2041, 7, 1, 3, 4, 5, tzinfo=datetime.UTC).timestamp()


async def main(data: Path) -> None:
    verdicts: Counter[str] = Counter()
    diverging: list[tuple[str, str | None]] = []
    with_failures = two_rounds = 0
    rulesets: dict[str, Ruleset] = {}
    engine = EmbeddedEngine()
    async with opened(data) as stores:
        for project_id, decision_id in _decisions(data):
            secret = stores.keyring.run_secret
            recorded = await recorded_decision(stores.ledger, secret, project_id, decision_id)
            assert recorded is not None
            digest = recorded.body.policy_digest
            if digest not in rulesets:
                rulesets[digest] = await _version(stores, digest)
            again = await rejudge(engine, rulesets[digest], recorded)
            if again.outcome != "exact" or again.decision != recorded.decision:
                diverging.append((decision_id, again.pointer))
            verdicts[recorded.body.verdict] += 1
            with_failures += bool(again.failures)
            two_rounds += len(recorded.rounds) == 2
    await engine.close()
    told = {
        "judged": verdicts.total(),
        "verdicts": verdicts,
        "with_failures": with_failures,
        "two_rounds": two_rounds,
        "policies": len(rulesets),
        "diverging": diverging[:20],
        "year": datetime.datetime.now(datetime.UTC).year,
        "zone": time.tzname[0],
        "hash_seed": os.environ.get("PYTHONHASHSEED"),
    }
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")


async def _version(stores: Opened, digest: str) -> Ruleset:
    files = await stores.control.version_files(digest)
    assert files is not None
    return load.load(files, None)


def _decisions(data: Path) -> list[tuple[str, str]]:
    statement = "SELECT project_id, decision_id FROM event WHERE type = 'decision' ORDER BY id"
    return [(project_id, id_) for project_id, id_ in query(data / "ledger.db", statement)]


if __name__ == "__main__":
    with time_machine.travel(ANOTHER_TIME):
        asyncio.run(main(Path(sys.argv[1])))
