"""D11: what an older release wrote, its gateways and its workers, is read by this one: the ledger
with its migrations, the calls of the Functions, and the records of the journal within them."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.storage.server.postgres.migrate import migrate
from tests.reliability import accounts, record
from tests.reliability_server.corpus import digests
from tests.reliability_server.installation import Installation, installation
from tests.servers.postgres import OWNER
from tests.servers.production import Production

# A guard: how long the servers take to start says more about the machine than about them.
pytestmark = pytest.mark.timeout(900)

CORPORA = sorted(Path(__file__).parent.glob("corpus_v*"))


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda folder: folder.name)
def test_what_an_older_release_left_is_read_and_gone_on_with(corpus, tmp_path):
    """D11: its database is migrated and verifies; what its gateways had appended and no worker had
    recorded is recorded by this release's worker, each event as it was, once; this release's
    gateway knows what was let through, and goes on in the same run without a gap."""
    with installation(
        tmp_path, before=lambda servers: _restored(servers, corpus), started=False
    ) as running:
        # An older release filed less, or nothing: the second step of an upgrade.
        running.checkrein("worker", "runs", "index")
        before = running.verify()
        _called_again(running, corpus)
        assert running.waiting() > 0
        running.worker.start()
        running.until_empty()

        runs = running.runs()
        wanted = [json.loads(line) for line in _lines(corpus / "events.jsonl")]
        found = {(run_id, e.event.seq): e for run_id, events in runs.items() for e in events}
        assert found.keys() == {(event["run_id"], event["seq"]) for event in wanted}
        for event in wanted:
            entry = found[event["run_id"], event["seq"]]
            assert (entry.event.id, entry.event.type) == (event["id"], event["type"])
            assert entry.event.action_id == event["action_id"]
            # Fields may come, and none may go or change.
            assert event["body"].items() <= entry.body.items()
            assert digests(entry) == event["content"]
        after = running.verify()
        assert (before["events"] < after["events"], after["events"]) == (True, len(wanted))

        running.gateway.start()
        body = json.loads((corpus / "retried.json").read_text())
        body["action"]["attempt"] = "another"
        wire = running.wire()
        again = wire.check(**body).json
        more = wire.check(run=body["run"], action={"tool": "crm.read_customer"}).json
        wire.close()
        running.until_recorded()
        gone_on = running.runs()
        # What an older gateway had moved is moved once.
        assert running.counters() == accounts.sum_of_events(gone_on)

    assert (again["enforced"], again["action_id"]) == ("block", body["action"]["id"])
    assert "in_doubt" in again["reasons"][0]["reason"]
    assert again["run_id"] == more["run_id"]
    assert again["run_id"] in runs
    assert more["seq"] > again["seq"] > len(runs[again["run_id"]])
    assert record.gaps(gone_on) == []
    assert len(gone_on[again["run_id"]]) >= more["seq"]


def _restored(servers: Production, corpus: Path) -> Production:
    """The database as it was, under its key, and migrated to this release."""
    key = base64.b64decode((corpus / "master.key").read_text())
    (servers.folder / "master.key").write_bytes(key)
    asyncio.run(_restore(servers, (corpus / "ledger.sql").read_text()))
    return replace(servers, database="empty")


async def _restore(servers: Production, dump: str) -> None:
    async with servers.postgres.superuser("empty") as connection:
        await connection.execute(dump)
    await migrate(servers.postgres.url("empty", OWNER))


def _called_again(running: Installation, corpus: Path) -> None:
    """Call the older release's Functions as its gateways did."""
    with running.servers.redis.client() as hot:
        hot.function_load((corpus / "functions.lua").read_text())
        for line in _lines(corpus / "commands.jsonl"):
            hot.execute_command(*map(base64.b64decode, json.loads(line)))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
