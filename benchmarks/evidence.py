"""Evidence: how quickly a run is exported, and an export verified, with and without its content."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from gateway.audit.bundle import checking
from gateway.audit.bundle.assembling import assemble
from gateway.audit.bundle.reading import take_run
from gateway.audit.signing.ed25519 import Signer
from gateway.serving.collecting import collect_seldom
from gateway.storage.embedded.ledger import open_ledger
from tests.ledger import events
from tests.ledger.events import PROJECT, SECRET, WRAPPED

EVENTS = 3_000
SHORT_EVENTS = 1_000
ROUNDS = 9
WANTED = 20_000
SIGNER = Signer(bytes(range(1, 33)))
SECONDS_SHORT = 3


def measure(seconds: int) -> dict[str, Any]:
    """Events a second, the median of some rounds: of exports and of verifications."""
    count = SHORT_EVENTS if seconds <= SECONDS_SHORT else EVENTS
    # As the commands do.
    collect_seldom()
    return {"evidence": asyncio.run(_measured(count))}


def table(found: dict[str, Any]) -> str:
    """The table in Markdown."""
    lines = ["| | events/s | wanted |", "| --- | ---: | ---: |"]
    names = {
        "export": "export a run, with its content",
        "export_bare": "export a run, evidence alone",
        "verify": "verify an export, with its content",
        "verify_bare": "verify an export, evidence alone",
    }
    lines += [
        f"| {said} | {found['evidence'][name]:,} | {WANTED:,} |" for name, said in names.items()
    ]
    return "\n".join(lines)


async def _measured(count: int) -> dict[str, int]:
    found: dict[str, int] = {"events": count}
    with tempfile.TemporaryDirectory() as folder:
        ledger = await open_ledger(Path(folder) / "ledger.db")
        await ledger.record(events.persists(_drafts(count)), {(PROJECT, "run_1"): WRAPPED})
        for name, content in (("", True), ("_bare", False)):
            files: dict[str, bytes] = {}
            took = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                taken = await take_run(ledger, _secret, PROJECT, "run_1", content=content)
                files = assemble(taken, SIGNER)
                took.append(time.perf_counter() - began)
            found[f"export{name}"] = round(count / median(took))
            took = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                checked = checking.check_files(files, {SIGNER.key_id: SIGNER.public})
                took.append(time.perf_counter() - began)
                assert checked.ok
            found[f"verify{name}"] = round(count / median(took))
        await ledger.close()
    return found


def _drafts(count: int) -> list[Any]:
    """A run of checks and their results, as an agent's loop makes them."""
    found: list[Any] = [events.started(name="bench", agent_id="bot")]
    while len(found) < count:
        number = len(found)
        arguments = {"amount": number, "customer": f"cus_{number % 50}"}
        decision_id = f"dec_{number}"
        found.append(events.decided(arguments, decision_id=decision_id, action_id=f"act_{number}"))
        found.append(events.resulted(decision_id))
    return found[:count]


async def _secret(_project_id: str, _wrapped: bytes) -> bytes:
    return SECRET
