"""REPLAY.jsonl line by line: each event against its listed hash and the event before it."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Struct

from gateway.audit import chain
from gateway.audit.bundle import names
from gateway.audit.bundle.findings import Findings
from gateway.domain.events import Event

_events = msgspec.json.Decoder(Event)


class Read(Struct, frozen=True, gc=False):
    """A line: its hash, and the event in it, None where it holds none."""

    hash: str
    event: Event | None


def read_events(replay: bytes, hashes: list[str], findings: Findings) -> list[Read]:
    """Every line as an event. `hashes` are those that the receipt lists, in order."""
    lines = replay.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    elif replay:
        place = f"{names.REPLAY} line {len(lines)}"
        findings.add("event", place, "does not end its line", len(lines), 0)
    read = [_read(line) for line in lines]
    if len(read) != len(hashes):
        findings.add("event", names.REPLAY, f"holds {len(read)} events of {len(hashes)}")
    _against_hashes(read, hashes, findings)
    _in_chain(read, findings)
    return read


def _read(line: bytes) -> Read:
    digest = hashlib.sha256(line).hexdigest()
    try:
        return Read(digest, _events.decode(line))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Read(digest, None)


def _against_hashes(read: list[Read], hashes: list[str], findings: Findings) -> None:
    if [each.hash for each in read] == hashes:
        return
    for place, (each, listed) in enumerate(zip(read, hashes, strict=False), start=1):
        if each.hash != listed:
            _name(findings, read, place, "event", "has other bytes than were recorded")


def _in_chain(read: list[Read], findings: Findings) -> None:
    before: Read | None = None
    for place, each in enumerate(read, start=1):
        event = each.event
        if event is None:
            _name(findings, read, place, "event", "cannot be read")
        else:
            said = _break(before, event)
            if said is not None:
                _name(findings, read, place, "chain", said)
        before = each


def _break(before: Read | None, event: Event) -> str | None:
    """Why an event does not stand behind the one before, None when it does."""
    if before is None:
        if event.prev_hash != chain.genesis(event.project_id, event.run_id):
            return "is not the first event of its run"
        return None if event.seq == 1 else "is first, and its seq is not 1"
    if event.prev_hash != before.hash:
        return "does not follow the event before it"
    last = before.event
    if last is None:
        return None
    if (event.project_id, event.run_id) != (last.project_id, last.run_id):
        return "is of another run"
    begins = event.epoch > last.epoch and event.seq <= last.seq
    follows = event.epoch == last.epoch and event.seq == last.seq + 1
    return None if begins or follows else f"has seq {event.seq} behind {last.seq}"


def _name(findings: Findings, read: list[Read], place: int, kind: str, detail: str) -> None:
    """Place counts from 1, like seq: an event that cannot be read is named by its line.

    The line is right also where the seq in it was touched.
    """
    event = read[place - 1].event
    first = read[0].event
    numbered = event is not None and first is not None and event.epoch != 0
    seq, epoch = (event.seq, event.epoch) if numbered and event is not None else (place, 0)
    where = f"{names.REPLAY} line {place}"
    if kind == "chain":
        findings.add("chain", where, detail, seq, epoch)
    else:
        findings.add("event", where, detail, seq, epoch)
