"""A recorded run with a bit of everything, in a real ledger, and what an export of it is."""

from __future__ import annotations

from pathlib import Path

from gateway.audit.bundle.assembling import assemble
from gateway.audit.bundle.reading import take_run
from gateway.audit.signing.ed25519 import Signer
from gateway.storage.embedded.ledger import EmbeddedLedger, open_ledger
from tests.ledger import events
from tests.ledger.events import PROJECT, SECRET, WRAPPED

SIGNER = Signer(bytes(range(1, 33)))
KEYS = {SIGNER.key_id: SIGNER.public}
ARTIFACT = b"what the agent made"
ARTIFACT_DIGEST = "sha256:99c5af39ff96d2b4bb3a2b9a5ba9a8e6b2e6e6f4a8f7a4cb2ae0df2f5c4b4d0e"


async def open_secret(project_id: str, wrapped: bytes) -> bytes:
    """The run's secret, as a keyring gives it."""
    assert (project_id, wrapped) == (PROJECT, WRAPPED)
    return SECRET


async def recorded(folder: Path, digest: str = ARTIFACT_DIGEST) -> EmbeddedLedger:
    """A ledger with one run of seven events."""
    decided = events.decided({"amount": 450000, "note": "refund | <b>now</b>"}, decision_id="dec_1")
    drafts = [
        events.started(name="=cmd|' /C calc'!A0", agent_id="support-bot", user_id="u_1"),
        events.observed("model_call", {"system": "be kind"}, provider="openai"),
        decided,
        events.resulted("dec_1"),
        events.observed("artifact", {"name": "report.txt"}, digest=digest, size=19),
        events.observed("verification", {"name": "tests", "output": "4 passed"}, status="passed"),
        events.observed("run_ended", {"output": "done"}, status="succeeded"),
    ]
    ledger = await open_ledger(folder / "ledger.db")
    batch = [events.persist(draft, seq) for seq, draft in enumerate(drafts, start=1)]
    await ledger.record(batch, {(PROJECT, "run_1"): WRAPPED})
    return ledger


async def exported(
    ledger: EmbeddedLedger, signer: Signer | None = SIGNER, *, content: bool = True
) -> dict[str, bytes]:
    """The files of its export."""
    taken = await take_run(ledger, open_secret, PROJECT, "run_1", content=content)
    return assemble(taken, signer)
