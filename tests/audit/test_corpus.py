"""What an older release exported verifies and is judged alike by this one, and by a verifier that
was written from VERIFY.md alone (A3)."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.audit.bundle import checking, container
from gateway.audit.signing import ed25519
from gateway.engines.embedded.engine import EmbeddedEngine
from gateway.policies import load, source
from gateway.replay.rejudge import rejudge
from tests.audit import corpus

HERE = Path(__file__).parent
CORPORA = sorted(HERE.glob("corpus_v*"))
EXPORTS = [path for folder in CORPORA for path in sorted(folder.glob("*.zip"))]
NODE = shutil.which("node")
pytestmark = pytest.mark.parametrize("path", EXPORTS, ids=lambda path: path.stem)
needs_node = pytest.mark.skipif(NODE is None, reason="the second verifier runs on node")


def test_an_old_export_verifies_as_it_did(path: Path):
    """Fields may come, and none may go or change."""
    wanted = json.loads((path.parent / "verified.json").read_text())[path.stem]

    found = corpus.verify(path.parent, path)

    assert found["ok"] is True
    assert wanted.items() <= found.items()


async def test_its_decisions_are_judged_to_the_same_bytes(path: Path):
    """R1, from the export alone, under the policy of then."""
    ruleset = load.load(source.read(path.parent / "policy").files, None)
    engine = EmbeddedEngine()
    try:
        await engine.load(ruleset)
        found = [
            await rejudge(engine, ruleset, each)
            for each in corpus.decisions(container.unzipped(path.read_bytes()))
        ]
    finally:
        await engine.close()

    shows = path.stem not in ("erased", "evidence-alone")
    assert [each.outcome for each in found] == ["exact"] * (len(corpus.CHECKS) * shows)


@needs_node
def test_a_second_verifier_agrees(path: Path, tmp_path: Path):
    """A3: on the export as it is, and on it with one byte changed in any of its files."""
    files = container.unzipped(path.read_bytes())
    pem = path.parent / "keys.pem"
    container.write_folder(tmp_path / "whole", files)
    said = second(tmp_path / "whole", pem)
    known = ed25519.from_pem(pem.read_bytes())
    first = checking.check_files(files, known)

    assert (said["ok"], said["findings"]) == (True, [])
    assert (said["events"], said["log_size"]) == (first.events, first.log_size)
    for number, name in enumerate(touched(files)):
        changed = bytearray(files[name])
        changed[len(changed) // 2] ^= 1
        again = {**files, name: bytes(changed)}
        folder = tmp_path / str(number)
        container.write_folder(folder, again)
        assert checking.check_files(again, known).ok is False, name
        assert second(folder, pem)["ok"] is False, name


def touched(files: dict[str, bytes]) -> list[str]:
    """One file of each kind that has any bytes."""
    blobs = [name for name in files if name.startswith("blobs/")][:1]
    return [name for name in files if not name.startswith("blobs/") and files[name]] + blobs


def second(folder: Path, pem: Path):
    """What the other verifier says."""
    command = [str(NODE), str(HERE / "verify_export.mjs"), str(folder), str(pem)]
    return json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
