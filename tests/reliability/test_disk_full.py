"""D4: where a decision cannot be remembered it is not given, and there is room again it goes on."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.reliability import accounts, folders
from tests.reliability.process import GatewayProcess, checkrein, make_key, until
from tests.reliability.threads import meanwhile, together
from tests.reliability.wire import Reply, Wire
from tests.reliability.witnesses import Witness, seen

CLIENTS = 6
REFUSALS = 20
MEBIBYTES = 24
# What an SDK is told to do where there was no answer. Where there may be one, it is spooled.
FAIL_MODES = {"production": "closed", "staging": "open", "development": "open"}
SPOOLING = {"staging", "development"}


def test_a_full_disk_refuses_checks_and_loses_nothing(gateway, tmp_path):
    """D1, D4, reliability 5: the disk under the data folder is full. Checks get 503
    `journal_unavailable` with the fail mode of their environment, nothing that was acknowledged is
    lost, and with room again the same gateway goes on by itself."""
    with _small_disk(tmp_path / "disk") as disk:
        running = gateway(data=disk / "data", policies=_policies(tmp_path))
        running.log = tmp_path / "log"

        def fill() -> None:
            with contextlib.suppress(OSError), (disk / "ballast").open("wb", 0) as ballast:
                while ballast.write(bytes(4096)):
                    continue

        _refuse_and_recover(running, tmp_path, fill, (disk / "ballast").unlink)


def test_a_journal_that_cannot_grow_refuses_checks_and_loses_nothing(gateway, tmp_path):
    """D1, D4: the same where only the gateway's own files may not grow any more, while the worker
    stands still. Needs no rights."""
    running = gateway(policies=_policies(tmp_path))

    def fill() -> None:
        running.signal_all("worker", signal.SIGSTOP)
        size = (running.data / "journal.db-wal").stat().st_size + 100_000
        _limit_files(running.pid, size)

    def make_room() -> None:
        _limit_files(running.pid, resource.RLIM_INFINITY)
        running.signal_all("worker", signal.SIGCONT)

    _refuse_and_recover(running, tmp_path, fill, make_room)


def _refuse_and_recover(running: GatewayProcess, tmp_path: Path, fill, make_room) -> None:
    running.start()
    keys = {"production": running.key}
    keys |= {name: make_key(running, name) for name in ("staging", "development")}
    wires = {name: Wire(running.port, key) for name, key in keys.items()}
    witnesses = [Witness(running, tmp_path, str(number)) for number in range(CLIENTS)]

    with meanwhile(*(witness.run for witness in witnesses)):
        until(lambda: _told(witnesses) > 100, 30, "some answers")
        fill()
        together([partial(_until_refused, name, wire) for name, wire in wires.items()])
        before = _told(witnesses)
        make_room()
        until(lambda: _told(witnesses) > before + 100, 60, "answers again")

    for wire in wires.values():
        assert _check(wire).status == 200
    until(lambda: _drained(wires["production"]), 60, "it is drained")
    for wire in wires.values():
        wire.close()
    assert running.stop() == 0
    accounts.nothing_is_missing(running.data, seen(witnesses))
    checkrein("verify", "--data", str(running.data))


def _drained(wire: Wire) -> bool:
    ready = wire.get("/readyz")
    return ready.status == 200 and (ready.json["waiting"], ready.json["spooled"]) == (0, 0)


def _told(witnesses: list[Witness]) -> int:
    return sum(witness.told for witness in witnesses)


def _until_refused(environment: str, wire: Wire) -> None:
    """Ask until the disk is full for good; an answer is a decision or a proper refusal, and where
    the environment spools also a decision from the spool, as long as that finds room."""
    refused = 0
    deadline = time.monotonic() + 90
    while refused < REFUSALS:
        assert time.monotonic() < deadline, "the disk is never full"
        reply = _check(wire)
        if reply.status == 200:
            spooled = reply.json["durability"] == "spooled"
            assert not spooled or environment in SPOOLING
            refused += spooled
            continue
        refused += 1
        problem = reply.json
        assert (reply.status, problem["code"]) == (503, "journal_unavailable"), reply
        assert problem["fail_mode"] == FAIL_MODES[environment]
        assert int(reply.headers["retry-after"]) > 0


def _check(wire: Wire) -> Reply:
    # Large and never the same: nothing of it can be stored in the place of something older.
    text = os.urandom(2000).hex()
    return wire.check(action={"tool": "crm.read_customer", "arguments": {"note": text}})


def _policies(tmp_path: Path) -> Path:
    return folders.shipped_and(tmp_path / "policies", folders.PROOFS)


def _limit_files(pid: int, size: int) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


@contextlib.contextmanager
def _small_disk(where: Path) -> Iterator[Path]:
    """A disk of a few megabytes. Skips where mounting one is not permitted."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("mounting a small disk needs root; the other test limits the files instead")
    where.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={MEBIBYTES}m", "tmpfs", str(where)]
    made = subprocess.run([mount, *options], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted: {made.stderr.decode().strip()}")
    try:
        yield where
    finally:
        subprocess.run([umount, "--lazy", str(where)], check=True)
