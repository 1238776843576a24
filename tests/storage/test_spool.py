"""The spool on real files: what is acknowledged is there, whatever happens to the process."""

from __future__ import annotations

import asyncio
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.errors import ConfigInvalid, SpoolFull, StorageFailure
from gateway.storage.ports import Spool
from gateway.storage.spool import FileSpool

MASTER = bytes(range(32))
ROOT = Path(__file__).parents[2]
KILLS = 8


def spool_in(folder: Path, **options) -> FileSpool:
    return FileSpool(folder, **{"master": MASTER, "most_bytes": 1 << 20, **options})


async def payloads(spool: Spool) -> list[bytes | None]:
    """Everything that waits, in order, read a few at a time."""
    found, last = [], None
    while entries := await spool.read(3, last):
        found += [entry.payload for entry in entries]
        last = entries[-1]
    return found


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


async def test_what_was_appended_is_read_in_order_also_after_a_restart(tmp_path):
    spool = spool_in(tmp_path, segment_bytes=500)
    wanted = [f"record {number}".encode() * 9 for number in range(20)]
    for payload in wanted:
        await spool.append(payload)
    assert await payloads(spool) == wanted
    await spool.close()

    again = spool_in(tmp_path, segment_bytes=500)
    await again.append(b"one more")

    assert await payloads(again) == [*wanted, b"one more"]
    assert again.figures().waiting == 21
    assert len(segments(tmp_path)) > 3
    await again.close()


async def test_concurrent_appends_share_flushes(tmp_path):
    """Here every flush has a segment of its own, so their number is that of the flushes."""
    spool = spool_in(tmp_path, segment_bytes=1)
    wanted = [b"%03d" % number for number in range(200)]

    await asyncio.gather(*(spool.append(payload) for payload in wanted))

    assert await payloads(spool) == wanted
    assert len(segments(tmp_path)) < 20
    await spool.close()


async def test_settled_segments_are_removed_and_make_room(tmp_path):
    spool = spool_in(tmp_path, segment_bytes=300, most_bytes=2000)
    for number in range(100):
        try:
            await spool.append(b"%03d" % number * 20)
        except SpoolFull:
            break
    with pytest.raises(SpoolFull):
        await spool.append(b"x" * 200)
    first = await spool.read(10)

    await spool.settle(first[-1])

    assert await payloads(spool) == [b"%03d" % n * 20 for n in range(10, number)]
    await spool.append(b"x" * 200)
    while entries := await spool.read(4):
        await spool.settle(entries[-1])
    figures = spool.figures()
    assert (figures.waiting, figures.bytes, segments(tmp_path)) == (0, 0, [])
    await spool.append(b"after")
    assert await payloads(spool) == [b"after"]
    await spool.close()


async def test_only_the_owner_can_read_it_and_nothing_in_it_is_plain(tmp_path):
    folder = tmp_path / "spool"
    spool = spool_in(folder)
    await spool.append(b"canary-7f3a " * 50)
    await spool.close()

    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert b"canary" not in path.read_bytes()
        assert MASTER not in path.read_bytes()


async def test_one_process_has_a_spool(tmp_path):
    spool = spool_in(tmp_path)

    with pytest.raises(ConfigInvalid, match="Another gateway"):
        spool_in(tmp_path)

    await spool.close()
    await spool_in(tmp_path).close()


@pytest.mark.parametrize("cut", [1, 13, 60])
async def test_a_torn_tail_costs_only_what_was_not_acknowledged(tmp_path, cut):
    spool = spool_in(tmp_path)
    for number in range(5):
        await spool.append(b"%d" % number * 40)
    await spool.close()
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])

    again = spool_in(tmp_path)

    assert await payloads(again) == [b"%d" % number * 40 for number in range(4)]
    assert (again.figures().torn, again.figures().set_aside) == (1, 0)
    await again.close()


async def test_zeros_behind_the_end_are_a_torn_tail(tmp_path):
    """What a power cut leaves of a file that had grown and was not written yet."""
    spool = spool_in(tmp_path)
    await spool.append(b"kept")
    await spool.close()
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes() + bytes(700))

    again = spool_in(tmp_path)

    assert await payloads(again) == [b"kept"]
    assert (again.figures().torn, again.figures().set_aside) == (1, 0)
    await again.close()


async def test_every_changed_byte_is_noticed_and_the_file_kept(tmp_path):
    """A changed segment gives what can still be trusted, and lies aside afterwards, whole."""
    spool = spool_in(tmp_path / "made")
    for number in range(4):
        await spool.append(b"%d" % number * 10)
    await spool.close()
    (made,) = segments(tmp_path / "made")
    whole = made.read_bytes()
    wanted = [b"%d" % number * 10 for number in range(4)]
    for at in range(len(whole)):
        folder = tmp_path / str(at)
        folder.mkdir()
        changed = bytearray(whole)
        changed[at] ^= 0x41
        (folder / made.name).write_bytes(changed)

        again = spool_in(folder)
        found = await payloads(again)
        while entries := await again.read(10):
            await again.settle(entries[-1])
        await again.close()

        assert found != wanted
        assert [each for each in found if each is not None] == wanted[: len(found)], at
        assert again.figures().set_aside == 1
        assert [path.read_bytes() for path in (folder / "aside").iterdir()] == [bytes(changed)]


async def test_records_of_another_key_or_version_are_set_aside(tmp_path):
    spool = spool_in(tmp_path)
    await spool.append(b"mine")
    await spool.close()
    (path,) = segments(tmp_path)
    newer = bytearray(path.read_bytes())
    newer[7] += 1
    (tmp_path / f"{2:020d}.spool").write_bytes(newer)
    kept = path.read_bytes()

    other = spool_in(tmp_path, master=bytes(32))
    await other.append(b"of the other key")

    assert other.figures().set_aside == 2
    assert await payloads(other) == [b"of the other key"]
    assert (tmp_path / "aside" / path.name).read_bytes() == kept
    assert (tmp_path / "aside" / f"{2:020d}.spool").read_bytes() == newer
    await other.close()


async def test_records_moved_to_another_place_do_not_open(tmp_path):
    spool = spool_in(tmp_path, segment_bytes=100)
    for number in range(3):
        await spool.append(b"%d" % number * 60)
    await spool.close()
    first, second, _ = segments(tmp_path)
    first_bytes, second_bytes = first.read_bytes(), second.read_bytes()
    first.write_bytes(first_bytes[:24] + second_bytes[24:])

    again = spool_in(tmp_path)

    assert await payloads(again) == [None, b"1" * 60, b"2" * 60]
    assert again.figures().set_aside == 1
    await again.close()


async def test_a_disk_that_takes_no_more_refuses_and_goes_on_later(tmp_path):
    """A failed write is a failure of those records alone, and leaves nothing half-written."""
    spool = spool_in(tmp_path)
    await spool.append(b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, hard))
    try:
        with pytest.raises(StorageFailure):
            await spool.append(b"x" * 5000)
        with pytest.raises(StorageFailure):
            await spool.append(b"y" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    await spool.append(b"after")

    assert await payloads(spool) == [b"before", b"after"]
    assert spool.figures().waiting == 2
    await spool.close()
    again = spool_in(tmp_path)
    assert await payloads(again) == [b"before", b"after"]
    assert again.figures().torn == 0
    await again.close()


async def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path):
    """D1: kill -9 at a random moment, again and again, each life on what the last one left."""
    told: list[bytes] = []
    chance = random.Random()
    for life in range(KILLS):
        told += _live_and_die(tmp_path / "spool", life, chance.uniform(0.05, 0.4))

    spool = spool_in(tmp_path / "spool", master=bytes(32), most_bytes=64 << 20)
    found = [(each or b"").rstrip(b".") for each in await payloads(spool)]
    await spool.close()

    assert len(told) > KILLS
    assert set(told) <= set(found)
    assert len(set(found)) == len(found)
    assert spool.figures().set_aside == 0


def _live_and_die(folder: Path, life: int, seconds: float) -> list[bytes]:
    """What one process acknowledged between its first record and its end."""
    command = [sys.executable, "-m", "tests.storage.spool_child", str(folder), str(life)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    assert child.stdout is not None
    with child.stdout:
        first = child.stdout.readline()
        time.sleep(seconds)
        child.kill()
        lines = (first + child.stdout.read()).splitlines(keepends=True)
    child.wait()
    return [line.rstrip() for line in lines if line.endswith(b"\n")]
