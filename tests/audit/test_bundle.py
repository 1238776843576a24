"""An export is the same bytes each time, verifies with the public key alone, and shows a touch."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import zipfile
from pathlib import Path

import pytest

from gateway.audit.bundle import names
from gateway.audit.bundle.checking import check_files, check_zip
from gateway.audit.bundle.container import (
    ContainerRefused,
    read_folder,
    unzipped,
    write_folder,
    zipped,
)
from gateway.audit.bundle.reading import ExportRefused
from gateway.audit.signing import dsse
from gateway.audit.signing.ed25519 import Signer, new_signer
from gateway.domain import canonical
from tests.audit.exported import ARTIFACT, KEYS, SIGNER, exported, recorded
from tests.ledger.events import PROJECT


@pytest.fixture
async def files(tmp_path: Path) -> dict[str, bytes]:
    ledger = await recorded(tmp_path, "sha256:" + hashlib.sha256(ARTIFACT).hexdigest())
    try:
        return await exported(ledger)
    finally:
        await ledger.close()


def test_an_export_verifies_with_the_public_key_alone(files):
    checked = check_zip(zipped(files), KEYS)

    assert checked.ok, checked.findings
    assert (checked.events, checked.run_id, checked.signed_by) == (7, "run_1", SIGNER.key_id)


async def test_an_export_is_the_same_bytes_each_time(tmp_path):
    """S2-6."""
    ledger = await recorded(tmp_path)
    first, second = await exported(ledger), await exported(ledger)
    await ledger.close()

    assert zipped(first) == zipped(dict(reversed(second.items())))


def test_the_receipt_says_what_by_whom_and_when(files):
    """S2-5, S2-8 and S0-23."""
    receipt = json.loads(files[names.RECEIPT])

    assert receipt["schema"] == names.SCHEMA
    assert receipt["events"]["count"] == 7
    assert receipt["by"]["agent_id"] == "support-bot"
    assert [each.get("tool") for each in receipt["actions"]] == ["stripe.refund", None]
    assert receipt["verification"] == [
        {"seq": 6, "at": receipt["verification"][0]["at"], "name": "tests", "status": "passed"}
    ]
    assert receipt["signature"] == {
        "algorithm": "Ed25519",
        "state": "signed",
        "key_id": SIGNER.key_id,
    }
    lines = files[names.REPLAY].splitlines()
    assert receipt["chain"]["hashes"] == [canonical.sha256(line) for line in lines]


def test_the_summary_holds_no_markup_of_an_agent(files):
    summary = files[names.SUMMARY].decode()

    assert "<b>" not in summary
    assert "4 passed" not in summary
    assert "tests" in summary


# Every byte of a small zip would take a minute; a stride that shares no factor with anything
# reaches every file and every header.
STRIDE = 7


@pytest.mark.parametrize("content", [False, True])
async def test_a_flipped_bit_of_a_zip_is_found(tmp_path, content):
    """A1, S0-22: whatever the byte belongs to."""
    ledger = await recorded(tmp_path)
    data = zipped(await exported(ledger, content=content))
    await ledger.close()
    missed = []
    for at in range(0, len(data), STRIDE):
        flipped = bytearray(data)
        flipped[at] ^= 1 << (at % 8)
        try:
            if check_zip(bytes(flipped), KEYS).ok:
                missed.append(at)
        except ContainerRefused:
            pass

    assert missed == []


def test_every_flipped_byte_of_an_event_is_named_by_its_seq(files):
    """S0-22: also where the line break or the seq itself is what was touched."""
    replay = files[names.REPLAY]
    for at in range(len(replay)):
        flipped = bytearray(replay)
        flipped[at] ^= 0x01
        found = check_files({**files, names.REPLAY: bytes(flipped)}, KEYS).findings

        event = replay[:at].count(b"\n") + 1
        first = next(each for each in found if each.kind == "event" and each.seq is not None)
        assert first.seq == event, (at, found)


def test_every_flipped_byte_of_content_is_named_by_its_event(files):
    for name in [each for each in files if each.startswith(names.BLOBS)]:
        flipped = bytes([files[name][0] ^ 1]) + files[name][1:]
        found = check_files({**files, name: flipped}, KEYS).findings

        assert {each.kind for each in found} >= {"file", "content"}
        assert all(each.seq for each in found if each.kind == "content")


def test_events_taken_out_put_in_and_moved_are_found(files):
    lines = files[names.REPLAY].splitlines(keepends=True)
    moved = [lines[0], lines[2], lines[1], *lines[3:]]
    for touched in (lines[:-1], lines[1:], [*lines, lines[-1]], moved, lines[:3] + lines[4:]):
        checked = check_files({**files, names.REPLAY: b"".join(touched)}, KEYS)

        assert not checked.ok


async def test_a_forged_export_under_another_key_is_found(tmp_path):
    """A4: whoever rewrites everything consistently still lacks the key."""
    ledger = await recorded(tmp_path)
    forged = await exported(ledger, new_signer())
    unsigned = await exported(ledger, None)
    await ledger.close()

    assert {each.kind for each in check_files(forged, KEYS).findings} == {"signature"}
    assert {each.kind for each in check_files(unsigned, KEYS).findings} == {"signature"}


async def test_a_receipt_that_lies_is_found_though_it_is_signed(tmp_path):
    """The receipt follows from the events, whoever signs it."""
    ledger = await recorded(tmp_path)
    files = await exported(ledger)
    await ledger.close()
    receipt = json.loads(files[names.RECEIPT])
    receipt["verification"][0]["status"] = "failed"
    written = canonical.encode(receipt)
    signed = dsse.enclose(SIGNER, names.PAYLOAD_TYPE, written)

    found = check_files({**files, names.RECEIPT: written, names.SIGNATURE: signed}, KEYS).findings

    (only,) = found
    assert (only.kind, "/verification" in only.detail) == ("receipt", True)


def test_a_chain_that_was_cut_is_found_though_its_hashes_were_made_to_fit(files):
    """A1: hashes in the receipt alone would not tell that an event was taken out."""
    lines = files[names.REPLAY].splitlines(keepends=True)
    del lines[3]
    receipt = json.loads(files[names.RECEIPT])
    del receipt["chain"]["hashes"][3]
    written = canonical.encode(receipt)
    signed = dsse.enclose(SIGNER, names.PAYLOAD_TYPE, written)
    changed = {names.REPLAY: b"".join(lines), names.RECEIPT: written, names.SIGNATURE: signed}

    found = check_files({**files, **changed}, KEYS).findings

    assert [each.seq for each in found if each.kind == "chain"] == [4]


async def test_an_export_without_content_verifies_and_shows_none(tmp_path):
    ledger = await recorded(tmp_path)
    files = await exported(ledger, content=False)
    await ledger.close()

    assert check_files(files, KEYS).ok
    assert not [name for name in files if name.startswith(names.BLOBS)]
    assert json.loads(files[names.RECEIPT])["content"]["shown"] == 0


async def test_a_record_that_was_changed_is_not_signed(tmp_path):
    ledger = await recorded(tmp_path)
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute(
            "UPDATE event SET record = CAST(replace(CAST(record AS TEXT), 'allow', 'alloW') "
            "AS BLOB) WHERE seq = 3"
        )
    connection.close()

    with pytest.raises(ExportRefused, match="Event 3 "):
        await exported(ledger)
    await ledger.close()


async def test_content_that_was_changed_is_not_signed_and_lost_content_is_left_out(tmp_path):
    """One blob stands for every event that repeats it: the first of them is named."""
    ledger = await recorded(tmp_path)
    before = json.loads((await exported(ledger))[names.RECEIPT])["content"]
    (stored,) = await ledger.events(PROJECT, "run_1", after=2, limit=1)
    key = bytes.fromhex(stored.blob_keys["rounds"])
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("UPDATE blob SET sealed = zeroblob(64) WHERE key = ?", (key,))

    with pytest.raises(ExportRefused, match="rounds of event 3 was changed"):
        await exported(ledger)

    with connection:
        connection.execute("DELETE FROM blob WHERE key = ?", (key,))
    connection.close()
    files = await exported(ledger)
    await ledger.close()
    assert check_files(files, KEYS).ok
    assert json.loads(files[names.RECEIPT])["content"]["shown"] == before["shown"] - 1


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"opening":"', b'"opening":"zz'), (b"}\n", b"}"), (b'"part":', b'"part":0,"part":')],
)
def test_an_opening_that_cannot_be_read_is_named_by_its_line(files, old, new):
    """Also where it was listed and signed with it."""
    lines = files[names.OPENINGS].splitlines(keepends=True)
    lines[1] = lines[1].replace(old, new)
    openings = b"".join(lines)
    receipt = json.loads(files[names.RECEIPT])
    receipt["files"][names.OPENINGS] = {
        "sha256": canonical.sha256(openings),
        "bytes": len(openings),
    }
    written = canonical.encode(receipt)
    signed = dsse.enclose(SIGNER, names.PAYLOAD_TYPE, written)
    changed = {names.OPENINGS: openings, names.RECEIPT: written, names.SIGNATURE: signed}

    found = check_files({**files, **changed}, KEYS).findings

    assert (f"{names.OPENINGS} line 2", "cannot be read") in [
        (each.place, each.detail) for each in found
    ]


def test_artifacts_are_hashed_again(files, tmp_path):
    """S2-10."""
    (tmp_path / "report.txt").write_bytes(ARTIFACT)
    assert check_files(files, KEYS, tmp_path).artifacts == {"report.txt": "same"}

    (tmp_path / "report.txt").write_bytes(b"something else")
    checked = check_files(files, KEYS, tmp_path)

    assert [(each.kind, each.seq) for each in checked.findings] == [("artifact", 5)]


def test_a_folder_is_read_as_it_was_written(files, tmp_path):
    write_folder(tmp_path / "out", files)

    assert read_folder(tmp_path / "out") == files
    with pytest.raises(FileExistsError):
        write_folder(tmp_path / "out", files)


def test_links_and_strange_files_are_refused(files, tmp_path):
    write_folder(tmp_path / "out", files)
    (tmp_path / "out" / "VERIFY.md").unlink()
    (tmp_path / "out" / "VERIFY.md").symlink_to("/etc/passwd")

    with pytest.raises(ContainerRefused, match="link"):
        read_folder(tmp_path / "out")


@pytest.mark.parametrize(
    "name", ["../RECEIPT.json", "/etc/passwd", "blobs/../x", "blobs/" + "G" * 64]
)
def test_a_name_that_leads_elsewhere_is_refused(files, name):
    with pytest.raises(ContainerRefused):
        unzipped(zipped({**files, name: b"x"}))


def test_a_bomb_is_refused_before_it_is_opened(files):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(names.REPLAY, b"0" * 50_000_000)

    with pytest.raises(ContainerRefused, match="compressed"):
        unzipped(written.getvalue())
    with pytest.raises(ContainerRefused, match="larger"):
        check_zip(zipped(files), KEYS, bytes_max=1_000)


def test_a_signer_does_not_show_its_secret():
    assert "\\x01" not in repr(Signer(bytes(range(1, 33))))
