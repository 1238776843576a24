"""D10: an entry of the log that cannot be read, or that the database will not have, becomes
evidence of itself or is set aside, and holds nobody up."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable

import pytest
from msgspec import msgpack
from msgspec.structs import replace

from gateway.storage import record as raw_record
from gateway.storage.server.redis import rows
from gateway.storage.server.redis.rows import Entry
from tests.reliability import record
from tests.reliability.process import until
from tests.reliability.wire import Wire
from tests.reliability_server.installation import Installation, installation

# A guard: how long the servers take to start says more about the machine than about them.
pytestmark = pytest.mark.timeout(900)

CHECKS = 8
Place = tuple[str, int]


def test_poison_in_the_log_is_recorded_as_what_it_is_and_holds_nobody_up(tmp_path):
    """D10: while the worker stands still, entries of the log are overwritten with noise, with
    nothing, with one bit flipped, with a future version, with another entry's record, with what the
    database refuses, and with bytes that do not even say whose they are. The gateway goes on
    answering. Each is an `unreadable` event at its seq, or says there that something is missing;
    all others are recorded; the chains hold, also after the runs went on."""
    with installation(tmp_path) as running:
        running.worker.signal(signal.SIGSTOP)
        wire = running.wire()
        forms = [*RAW, *WHOLE]
        for run in range(len(forms) + 1):
            for number in range(CHECKS):
                _check(wire, run, number)

        poisoned = _poison(running, forms)
        for run in range(len(forms) + 1):
            _check(wire, run, CHECKS)
        waiting = (CHECKS + 2) * (len(forms) + 1)
        until(lambda: wire.get("/readyz").json.get("waiting") == waiting, 30, "all is counted")
        running.worker.signal(signal.SIGCONT)
        running.until_recorded()
        for run in range(len(forms) + 1):
            _check(wire, run, CHECKS + 1)
        wire.close()
        running.until_recorded()

        runs = running.runs()
        assert len(runs) == len(forms) + 1
        assert record.gaps(runs) == []
        # A run begins with an event of its own.
        assert {len(events) for events in runs.values()} == {1 + CHECKS + 2}
        found = {
            (entry.event.run_id, entry.event.seq): (entry.body["problem"], entry.body["raw_digest"])
            for entry in record.of_type(runs, "unreadable")
        }
        assert found == poisoned
        assert running.verify()["unreadable"] == len(poisoned)
        with running.servers.redis.client() as hot:
            aside = [hot.xlen(each.key(b"aside")) for each in running.partitions()]
        assert sum(aside) == len(WHOLE)


def _noise(raw: bytes, _other: bytes) -> bytes:
    return os.urandom(300)


def _nothing(_raw: bytes, _other: bytes) -> bytes:
    return b""


def _flipped(raw: bytes, _other: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def _future(raw: bytes, _other: bytes) -> bytes:
    return bytes([raw_record.VERSION + 1]) + raw[1:]


def _another(_raw: bytes, other: bytes) -> bytes:
    return other


def _refused(raw: bytes, _other: bytes) -> bytes:
    """Well formed, sealed as it should be, and under an id that is too long for an index."""
    draft, sealed = raw_record.decode(raw)
    body = json.loads(draft.body) | {"decision_id": os.urandom(10_000).hex()}
    return raw_record.encode(replace(draft, body=json.dumps(body).encode()), sealed)


# What becomes of the record within an entry, and what is then said of it.
RAW: list[tuple[Callable[[bytes, bytes], bytes], str]] = [
    (_noise, "record"),
    (_nothing, "record"),
    (_flipped, "seal"),
    (_future, "record"),
    (_another, "seal"),
    (_refused, "refused"),
]
# What becomes of whole entries, whose place in their run nobody can read then.
WHOLE: list[tuple[Callable[[bytes, bytes], bytes], str]] = [
    (_noise, "missing"),
    (lambda _entry, _other: msgpack.encode(["prj", 7]), "missing"),
]


def _check(wire: Wire, run: int, number: int) -> None:
    reply = wire.check(
        run={"id": f"run {run}"},
        action={"tool": "crm.read_customer", "arguments": {"id": 7 * number, "at": "x" * number}},
        request={"user": f"customer {number}"},
    )
    assert reply.status == 200, reply


def _poison(
    running: Installation, forms: list[tuple[Callable[[bytes, bytes], bytes], str]]
) -> dict[Place, tuple[str, str]]:
    """Poison one entry in each of some runs, one run after the other, and leave the last alone;
    where they stand, with what is to be said of them, and the digest of what is there now."""
    logs = {}
    with running.servers.redis.client() as hot:
        for each in running.partitions():
            found = hot.xrange(each.log)
            if found:
                logs[each.log] = [(name, fields[b"e"]) for name, fields in found]
        entries = [rows.decode_entry(data) for log in logs.values() for _, data in log]
        chosen = {}
        run_ids = sorted({entry.run_id for entry in entries})
        for number, ((form, problem), run_id) in enumerate(zip(forms, run_ids, strict=False)):
            # The first of its run, one in the middle, the last one.
            seq = (1, 4, 1 + CHECKS)[number % 3]
            chosen[run_id, seq] = (form, problem, number >= len(RAW))
        told = {}
        for log, held in logs.items():
            changed = dict(held)
            for name, data in held:
                entry = rows.decode_entry(data)
                place = (entry.run_id, entry.seq)
                if place in chosen:
                    form, problem, whole = chosen[place]
                    other = _other_of(entries, entry)
                    changed[name], raw = _changed(entry, data, form, other, whole)
                    told[place] = (problem, hashlib.sha256(raw).hexdigest())
            # Nothing in a stream can be changed in place.
            hot.delete(log)
            for name, data in changed.items():
                hot.xadd(log, {"e": data}, id=name)
    assert len(told) == len(forms)
    return told


def _changed(
    entry: Entry, data: bytes, form: Callable[[bytes, bytes], bytes], other: bytes, whole: bool
) -> tuple[bytes, bytes]:
    """(the entry as it is now, the record that is in it, if one is)."""
    if whole:
        return form(data, other), b""
    raw = form(entry.raw, other)
    return rows.encode(replace(entry, raw=raw)), raw


def _other_of(entries: list[Entry], entry: Entry) -> bytes:
    return next(each.raw for each in entries if each.run_id != entry.run_id and each.seq == 2)
