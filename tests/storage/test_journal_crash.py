"""The embedded journal under kill -9, a full disk and a system call tracer: real processes."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest

from gateway.storage import record
from tests.contract import appends as make
from tests.contract.backends import EmbeddedHot

ROOT = Path(__file__).parents[2]
ROUNDS = 6


def _command(act: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "tests.storage.append_child", act, str(folder)]


async def test_kill_9_loses_nothing_that_was_acknowledged_and_leaves_no_gap(tmp_path):
    """D1, D10: killed at arbitrary moments, again and again, on the same files."""
    acknowledged: dict[str, dict[int, str]] = defaultdict(dict)
    for _ in range(ROUNDS):
        for line in _killed_after(tmp_path, lines=random.randint(1, 400)):
            answer = msgspec.json.decode(line)
            assert answer["seq"] not in acknowledged[answer["run_id"]]
            acknowledged[answer["run_id"]][answer["seq"]] = answer["id"]

    hot = await EmbeddedHot(tmp_path).open()
    stored: dict[str, dict[int, str]] = defaultdict(dict)
    for claim in await hot.drain.claim(1_000_000):
        stored[claim.run_id][claim.seq] = record.decode(claim.raw)[0].id
    states = {run: (await hot.journal.gather(make.ask(run))).state for run in stored}
    await hot.close()

    assert sum(map(len, acknowledged.values())) > ROUNDS
    for run_id, places in stored.items():
        assert list(places) == list(range(1, len(places) + 1))
        assert places | acknowledged[run_id] == places
        assert states[run_id].last_seq == len(places)
        assert states[run_id].counters == {"calls": len(places)}


def _killed_after(folder: Path, lines: int) -> list[bytes]:
    """Let a child append until it has said so this often; kill it; return all it said."""
    with subprocess.Popen(_command("loop", folder), cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        rest = child.stdout.read()
    whole, _, _ = rest.rpartition(b"\n")
    return said + whole.splitlines()


def test_a_full_disk_fails_appends_and_nothing_else(tmp_path):
    """A write that cannot be durable is a StorageFailure; with room again everything goes on."""
    done = subprocess.run(
        _command("full", tmp_path), cwd=ROOT, capture_output=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr.decode()
    told = msgspec.json.decode(done.stdout)
    everything = told["places"] + told["after"]
    assert told["stored"] == everything == list(range(1, len(everything) + 1))
    assert told["calls"] == len(everything)
    # While the disk was full nothing counted that is not stored, and nothing stayed reserved.
    assert told["while_full"] == len(told["places"])
    assert told["held"] == {"daily": 0}


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_log_is_on_the_disk_before_the_append_returns(tmp_path):
    """D3: write to the write-ahead log, then fdatasync of it, then the answer."""
    trace = tmp_path / "trace"
    data = tmp_path / "data"
    data.mkdir()
    tracer = ["strace", "-f", "-y", "-o", str(trace)]
    tracer += ["-e", "trace=write,pwrite64,fsync,fdatasync"]
    done = subprocess.run(
        [*tracer, *_command("once", data)], cwd=ROOT, capture_output=True, check=False, timeout=60
    )
    if not done.stdout and b"ptrace" in done.stderr:
        pytest.skip("this machine does not allow tracing")

    assert done.returncode == 0, done.stderr.decode()
    calls = _calls(trace.read_text("utf-8", "replace"))
    ready = calls.index("answer")
    answer = calls.index("answer", ready + 1)
    between = calls[ready + 1 : answer]
    assert "write log" in between
    last_write = len(between) - 1 - between[::-1].index("write log")
    assert "sync log" in between[last_write:]


def _calls(trace: str) -> list[str]:
    """The calls that matter, in order; one that another thread interrupted counts when it ends."""
    found: list[str] = []
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        thread, _, call = line.partition(" ")
        name = _name(call.strip())
        if "<unfinished ...>" in call:
            begun[thread] = name
        elif "resumed>" in call:
            found.append(begun.pop(thread, ""))
        else:
            found.append(name)
    return [name for name in found if name]


def _name(call: str) -> str:
    if re.match(r"pwrite64\(\d+<[^>]*journal\.db-wal>", call):
        return "write log"
    if re.match(r"f(data)?sync\(\d+<[^>]*journal\.db-wal>", call):
        return "sync log"
    if call.startswith("write(1<"):
        return "answer"
    return ""
