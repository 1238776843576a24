"""What the ledger on PostgreSQL holds, read as `checkrein verify` reads it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

from gateway.ambient import SystemAmbient
from gateway.config import Settings
from gateway.wiring.server import record_stores
from tests.many.gateways import Installation
from tests.reliability import record
from tests.reliability.process import until
from tests.reliability.record import Entry, Runs

DRAIN_SECONDS = 90


def runs_of(installation: Installation, wanted: Iterable[str]) -> Runs:
    """Every event of these runs, in the order of their seqs."""
    return asyncio.run(_read(installation, set(wanted)))


def decisions(installation: Installation, given: Iterable[dict[str, Any]]) -> dict[str, Entry]:
    """The recorded decisions of the runs of these replies, by their ids, each there once. Waits
    until those of all replies are there."""
    wanted = {reply["decision_id"]: reply["run_id"] for reply in given}
    found: dict[str, Entry] = {}

    def complete() -> bool:
        entries = record.of_type(runs_of(installation, wanted.values()), "decision")
        counted = Counter(entry.body["decision_id"] for entry in entries)
        assert [name for name, count in counted.items() if count > 1] == []
        found.update({entry.body["decision_id"]: entry for entry in entries})
        return wanted.keys() <= found.keys()

    until(complete, DRAIN_SECONDS, "everything that was answered is in the ledger")
    return found


async def _read(installation: Installation, wanted: set[str]) -> Runs:
    environ = installation.production.environ("worker")
    settings = Settings(
        database_url=environ["CHECKREIN_DATABASE_URL"],
        redis_url=environ["CHECKREIN_REDIS_URL"],
        master_key_file=environ["CHECKREIN_MASTER_KEY_FILE"],
    )
    found: Runs = {}
    async with record_stores(settings, SystemAmbient(), everything=True) as stores:
        for project_id, run_id in await stores.ledger.all_runs():
            if run_id in wanted:
                opened = record.entries(stores, project_id, run_id)
                found[run_id] = [entry async for entry in opened]
    return found
