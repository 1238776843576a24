"""A2: witnesses hear by themselves how each project's log stands, on every backend."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.audit.log import checkpoint, file_witness, git_witness
from gateway.audit.log.growing import checkpoint_now
from gateway.audit.log.witnesses import FolderWitness, WebhookWitness
from gateway.audit.signing.keys import PURPOSE, SigningKeys
from gateway.domain import sealing
from gateway.storage.embedded.control import EmbeddedControl
from gateway.worker.recorder import Figures
from gateway.worker.witnessing import Witnessing
from tests.audit.test_witnesses import SECRET, Witness, served
from tests.contract.ledger.test_log import grown
from tests.ledger import events
from tests.ledger.events import PROJECT
from tests.make import FixedAmbient

OTHER = "prj_2"
PATIENCE = 30


@pytest.fixture
async def signing(tmp_path):
    control = EmbeddedControl(tmp_path / "control.db", FixedAmbient())
    yield SigningKeys(control, sealing.derive(bytes(32), PURPOSE))
    await control.close()


async def recorded(ledger, first: int, last: int, project_id: str = PROJECT) -> None:
    for seq in range(first, last + 1):
        event = events.started() if seq == 1 else events.draft()
        persist = events.persist(event, seq, "run_1")
        moved = msgspec.structs.replace(persist.event, project_id=project_id)
        await ledger.record([msgspec.structs.replace(persist, event=moved)], {})
    await grown(ledger)


def witnessing(ledger, signing, *witnesses, **options: Any) -> Witnessing:
    settings: dict[str, Any] = {
        "figures": Figures(),
        "ambient": FixedAmbient(),
        "interval_seconds": 300,
    }
    settings |= {"ledger": ledger, "signing": signing, "witnesses": witnesses, **options}
    return Witnessing(**settings)


async def told(loop: Witnessing, name: str, times: int) -> None:
    while True:
        if loop.figures.checkpoints.get(name, 0) >= times:
            return
        await asyncio.sleep(0.01)


async def seen(folder: Path, project_id: str, signing: SigningKeys, how=file_witness) -> list[int]:
    keys = await signing.public_keys()
    found = how.seen(folder / project_id, checkpoint.origin_of(project_id), keys)
    return sorted(each.size for each in found)


async def test_every_witness_hears_of_every_log_that_grew_and_of_no_other(
    ledger, signing, tmp_path
):
    await signing.create(FixedAmbient())
    keys = await signing.public_keys()
    kept, repository = tmp_path / "seen", tmp_path / "git"
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    asked = Witness(checkpoint.origin_of(PROJECT), keys)
    with served(asked) as url:
        each = (FolderWitness(kept), FolderWitness(repository, git=True))
        loop = witnessing(
            ledger, signing, *each, WebhookWitness(url, FixedAmbient(), SECRET), figures=Figures()
        )
        await recorded(ledger, 1, 3)
        assert await loop.step()
        again = dict(loop.figures.checkpoints)
        assert await loop.step()
        assert loop.figures.checkpoints == again
        await recorded(ledger, 4, 5)
        assert await loop.step()

    now, gone = await checkpoint_now(
        ledger, PROJECT, file_witness.seen(kept / PROJECT, checkpoint.origin_of(PROJECT), keys)
    )
    assert await seen(kept, PROJECT, signing) == [3, 5]
    assert await seen(repository, PROJECT, signing, git_witness) == [3, 5]
    assert (asked.seen, gone) == (now, [])
    assert loop.figures.checkpoints == dict.fromkeys(
        ("folder pushed", "git pushed", "webhook pushed"), 2
    )
    assert loop.figures.witnessed_at > 0


async def test_projects_have_folders_of_their_own(ledger, signing, tmp_path):
    await signing.create(FixedAmbient())
    await recorded(ledger, 1, 2)
    await recorded(ledger, 1, 4, OTHER)

    assert await witnessing(ledger, signing, FolderWitness(tmp_path / "seen")).step()

    assert await seen(tmp_path / "seen", PROJECT, signing) == [2]
    assert await seen(tmp_path / "seen", OTHER, signing) == [4]


async def test_a_witness_that_is_away_is_said_to_be_once_and_tried_again(
    ledger, signing, tmp_path, capsys
):
    """The others are told meanwhile; here one's folder is a file, until it is not."""
    await signing.create(FixedAmbient())
    await recorded(ledger, 1, 2)
    away = tmp_path / "away"
    away.write_text("in the way")
    loop = witnessing(
        ledger, signing, FolderWitness(away), FolderWitness(tmp_path / "git", git=True)
    )
    subprocess.run(["git", "init", "-q", str(tmp_path / "git")], check=True)

    assert [await loop.step() for _ in range(3)] == [False] * 3
    unseen = loop.figures.witnessed_at
    away.unlink()
    assert await loop.step()

    assert loop.figures.checkpoints == {"folder failed": 3, "git pushed": 1, "folder pushed": 1}
    assert unseen == 0
    assert await seen(away, PROJECT, signing) == [2]
    said = capsys.readouterr()
    assert (said.out + said.err).count("checkpoint_not_taken") == 1
    assert (said.out + said.err).count("checkpoint_taken_again") == 1


async def test_a_log_that_does_not_go_on_from_what_was_seen_is_told_to_nobody_there(
    ledger, signing, tmp_path
):
    """A2: a witness never gets a second history."""
    await signing.create(FixedAmbient())
    signer = await signing.signer()
    await recorded(ledger, 1, 5)
    forked = checkpoint.Checkpoint(checkpoint.origin_of(PROJECT), 3, bytes(32))
    larger = checkpoint.Checkpoint(checkpoint.origin_of(PROJECT), 9, bytes(32))
    for name, each in (("forked", forked), ("larger", larger)):
        note = checkpoint.sign(each, signer)
        file_witness.push(tmp_path / name / PROJECT, note, each.size)
    loop = witnessing(
        ledger, signing, FolderWitness(tmp_path / "forked"), FolderWitness(tmp_path / "larger")
    )

    assert not await loop.step()

    assert loop.figures.checkpoints == {"folder contradicted": 2}
    assert await seen(tmp_path / "forked", PROJECT, signing) == [3]
    assert await seen(tmp_path / "larger", PROJECT, signing) == [9]


async def test_a_witness_that_somebody_made_forget_is_not_believed(ledger, signing, tmp_path):
    """An old checkpoint under a larger name, or one that was committed and taken away, hides what
    was seen since."""
    await signing.create(FixedAmbient())
    kept, repository = tmp_path / "seen", tmp_path / "git"
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    witnesses = (FolderWitness(kept), FolderWitness(repository, git=True))
    loop = witnessing(ledger, signing, *witnesses)
    await recorded(ledger, 1, 2)
    assert await loop.step()
    old = (kept / PROJECT / file_witness.name_of(2)).read_bytes()

    (kept / PROJECT / file_witness.name_of(10**14)).write_bytes(old)
    (repository / PROJECT / file_witness.name_of(2)).unlink()
    await recorded(ledger, 3, 3)
    assert not await loop.step()

    assert loop.figures.checkpoints == {
        "folder pushed": 1,
        "git pushed": 1,
        "folder contradicted": 1,
        "git contradicted": 1,
    }


async def test_a_checkpoint_that_was_begun_is_none_that_was_touched(ledger, signing, tmp_path):
    """A crash in the middle of writing leaves no name behind that a checkpoint has."""
    await signing.create(FixedAmbient())
    loop = witnessing(ledger, signing, FolderWitness(tmp_path))
    await recorded(ledger, 1, 1)
    assert await loop.step()
    (tmp_path / PROJECT / ".begun-x").write_bytes(b"half")
    await recorded(ledger, 2, 2)

    assert await loop.step()

    assert await seen(tmp_path, PROJECT, signing) == [1, 2]
    assert sorted(each.name for each in (tmp_path / PROJECT).iterdir()) == [
        ".begun-x",
        file_witness.name_of(1),
        file_witness.name_of(2),
    ]


async def test_nothing_is_told_before_there_is_a_key_to_sign_it(ledger, signing, tmp_path, capsys):
    await recorded(ledger, 1, 2)
    loop = witnessing(ledger, signing, FolderWitness(tmp_path / "seen"), interval_seconds=0.02)
    stop = asyncio.Event()
    running = asyncio.create_task(loop.run(stop))
    async with asyncio.timeout(PATIENCE):
        await told(loop, "folder failed", 3)
        await signing.create(FixedAmbient())
        await told(loop, "folder pushed", 1)
        stop.set()
        await running

    assert await seen(tmp_path / "seen", PROJECT, signing) == [2]
    said = capsys.readouterr()
    assert (said.out + said.err).count("checkpoints_not_made") == 1
