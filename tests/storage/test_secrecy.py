"""What lies on the disk: no word of content, no key, and nothing that others may read."""

from __future__ import annotations

from gateway.domain import sealing
from gateway.storage import record
from tests.contract import appends as make
from tests.contract.backends import MASTER, EmbeddedHot

CANARY = b"canary-4539-1488-0343-6467"


async def test_no_content_and_no_key_is_in_any_file(tmp_path):
    """S11, design 4: plaintext content never reaches SQLite, its log or its index."""
    hot = await EmbeddedHot(tmp_path).open()
    keys = [MASTER]
    for user in (None, "u_1"):
        run_id = f"run_{user}"
        for number in range(30):
            content = {"frame": CANARY * 50, "decision": b"{}", "rounds": CANARY}
            event = make.draft(content=content)
            await make.done(hot.journal, make.append(run_id, [event], user_id=user))
            if number == 15:
                await hot.drain.settle(await hot.drain.claim(10))
        wrapped = await hot.drain.secrets({("prj_1", run_id)})
        secret = await hot.keyring.run_secret("prj_1", wrapped["prj_1", run_id])
        keys += [secret, sealing.content_key(secret)]
    keys += hot.keyring._opened.values()

    while_open = _bytes_of(tmp_path)
    await hot.close()

    assert {"journal.db", "journal.db-wal", "control.db"} <= set(while_open)
    for files in (while_open, _bytes_of(tmp_path)):
        for name, data in files.items():
            assert CANARY not in data, name
            assert not any(key in data for key in keys), name


async def test_a_record_cannot_be_moved_to_another_place(tmp_path):
    """S12: content swapped between runs, projects or events does not open."""
    hot = await EmbeddedHot(tmp_path).open()
    event = make.draft()
    await make.done(hot.journal, make.append(drafts=[event]))
    (claim,) = await hot.drain.claim(1)
    wrapped = (await hot.drain.secrets({("prj_1", "run_1")}))["prj_1", "run_1"]
    key = sealing.content_key(await hot.keyring.run_secret("prj_1", wrapped))
    await hot.close()
    _, sealed = record.decode(claim.raw)

    assert record.open_content(key, "prj_1", "run_1", event.id, sealed) == event.content
    for place in (
        ("prj_2", "run_1", event.id),
        ("prj_1", "run_2", event.id),
        ("prj_1", "run_1", make.new_id("evt")),
    ):
        try:
            record.open_content(key, *place, sealed)
        except sealing.SealBroken:
            continue
        raise AssertionError(place)


async def test_only_their_owner_can_read_the_files(tmp_path):
    hot = await EmbeddedHot(tmp_path).open()
    await make.done(hot.journal, make.append())

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}

    await hot.close()
    assert len(modes) >= 5
    assert set(modes.values()) == {0o600}


def _bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
