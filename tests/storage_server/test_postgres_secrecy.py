"""S11 (reliability): what an agent wrote is nowhere in the server's files in clear."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, persists

CANARY = "canary-4e1c-in-the-clear"


async def test_content_is_in_no_file_of_the_server(place, worker):
    began = time.time() - 1
    drafts = [
        events.started(name="run"),
        events.decided({"note": CANARY, "nested": {"list": [CANARY]}}),
        events.observed("model_call", {"text": CANARY}),
    ]
    await worker.record(persists(drafts), {(PROJECT, "run_1"): WRAPPED})
    async with place.superuser() as connection:
        await connection.execute("CHECKPOINT")
        found = await connection.fetchval("SELECT count(*) FROM checkrein.blob")
    assert found > 0

    assert files_with(place.server.folder, CANARY, began) == []
    # The search would find what is there: ids are evidence and stand in clear.
    assert files_with(place.server.folder, drafts[1].id, began) != []


def files_with(folder: Path, text: str, since: float) -> list[Path]:
    """The files written since then that hold the text."""
    found = []
    for path in folder.rglob("*"):
        # The server removes files of its own meanwhile.
        with suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_mtime >= since:
                found += [path] if text.encode() in path.read_bytes() else []
    return found
