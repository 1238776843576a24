"""The verifier in JavaScript works the receipt out again: it finds one that lies, though it is
signed and everything else in the export is as it was recorded."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.bundle import checking, container, names
from gateway.audit.bundle.assembling import assemble
from gateway.audit.bundle.reading import take_run
from gateway.audit.signing import dsse, ed25519
from gateway.domain import canonical
from gateway.domain.frame import FrameAmount
from gateway.storage.embedded.ledger import open_ledger
from tests.audit.exported import KEYS, SIGNER, open_secret
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED

VERIFIER = Path(__file__).with_name("verify_export.mjs")
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="the second verifier runs on node")
# JavaScript's numbers cannot tell it from its neighbour.
HUGE = 2**53 + 1

Receipt = dict[str, Any]
LIES: dict[str, Callable[[Receipt], object]] = {
    "run": lambda it: it["run"]["spend"].update(USD=HUGE - 1),
    "by": lambda it: it["by"].update(agent_id="another"),
    "events": lambda it: it["events"]["types"].update(decision=2),
    "chain": lambda it: it["chain"].update(genesis="0" * 64),
    "timings": lambda it: it["timings"].update(ended_at=None),
    "actions": lambda it: it["actions"][1].update(enforced="allow"),
    "verification": lambda it: it["verification"][0].update(status="failed"),
    "artifacts": lambda it: it["artifacts"][0].update(name="another.txt"),
    "model_calls": lambda it: it["model_calls"][0].update(usage={"input": 2.50001}),
    "content": lambda it: it["content"].update(shown=0),
    "files": lambda it: it["files"]["VERIFY.md"].update(note="checked by hand"),
    "signature": lambda it: it["signature"].update(key_id="0" * 32),
    "note": lambda it: it.update(note="all is well"),
}


@pytest.fixture
async def files(tmp_path: Path) -> dict[str, bytes]:
    """The export of a run in which something happened in every field of its receipt."""
    huge, small = FrameAmount(HUGE, "USD"), FrameAmount(450, "EUR")
    drafts = [
        events.started(name="n", agent_id="bot", user_id="u_1", external_id="Grüße 😀"),
        events.observed("model_call", {"system": "be kind"}, provider="p", usage={"input": 2.5}),
        events.decided({"amount": 1}, decision_id="dec_1", amount=huge, side_effects=["b", "a"]),
        events.decided({"amount": 2}, decision_id="dec_2", amount=huge, enforced="block"),
        events.decided({"amount": 3}, decision_id="dec_3", amount=small, enforced="warn"),
        events.decided({"amount": 3}, decision_id="dec_4", amount=small, prior="dec_3"),
        events.resulted("dec_3", "failed"),
        events.asked(),
        events.observed("artifact", {"name": "report.txt"}, digest="sha256:" + "0" * 64, size=19),
        events.observed("verification", {"name": "tests", "output": "ok"}, status="passed"),
        events.observed("run_ended", {"output": "done"}, status="succeeded"),
    ]
    ledger = await open_ledger(tmp_path / "ledger.db")
    try:
        await ledger.record(events.persists(drafts), {(PROJECT, "run_1"): WRAPPED})
        return assemble(await take_run(ledger, open_secret, PROJECT, "run_1"), SIGNER)
    finally:
        await ledger.close()


def test_an_honest_receipt_holds(files, tmp_path):
    assert json.loads(files[names.RECEIPT])["run"]["spend"] == {"EUR": 0, "USD": HUGE}
    assert second(files, tmp_path / "honest") == []


@pytest.mark.parametrize("place", LIES)
def test_a_signed_receipt_that_says_other_than_the_events_is_found(files, tmp_path, place):
    receipt = json.loads(files[names.RECEIPT])
    LIES[place](receipt)
    signed = signed_again(files, canonical.encode(receipt))

    (found,) = second(signed, tmp_path / "lie")

    detail = f"says other than the events do, in /{place}"
    assert found == {"place": names.RECEIPT, "detail": detail}
    assert not checking.check_files(signed, KEYS).ok


def test_a_signed_receipt_in_another_form_is_found(files, tmp_path):
    """A key that is there twice says one thing to one reader and another to the next."""
    twice = files[names.RECEIPT].replace(b'"run_id"', b'"run_id":"run_2","run_id"', 1)

    (found,) = second(signed_again(files, twice), tmp_path / "twice")

    assert found["detail"] == "is not written in its one form"


def signed_again(files: dict[str, bytes], written: bytes) -> dict[str, bytes]:
    """The export with this receipt, by somebody who has the key."""
    envelope = dsse.enclose(SIGNER, names.PAYLOAD_TYPE, written)
    return {**files, names.RECEIPT: written, names.SIGNATURE: envelope}


def second(files: dict[str, bytes], folder: Path) -> list[dict[str, str]]:
    """What the other verifier finds; it fails exactly when it finds something."""
    container.write_folder(folder, files)
    pem = folder.with_suffix(".pem")
    pem.write_text(ed25519.pem(SIGNER.public))
    command = [str(NODE), str(VERIFIER), str(folder), str(pem)]
    done = subprocess.run(command, capture_output=True, check=False)
    found: list[dict[str, str]] = json.loads(done.stdout)["findings"]
    assert done.returncode == (1 if found else 0)
    return found
