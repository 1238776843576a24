"""Shown content against the commitments in the events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gateway.audit.bundle import names
from gateway.audit.bundle.assembling import Opening
from gateway.audit.bundle.findings import Findings
from gateway.domain import canonical, sealing
from gateway.domain.events import Event

Shown = dict[tuple[int, int], dict[str, bytes]]

_openings = msgspec.json.Decoder(Opening)


def shown_content(files: Mapping[str, bytes], events: Sequence[Event], findings: Findings) -> Shown:
    """By (epoch, seq), the parts whose blob is what the event committed to."""
    by_place = {(event.epoch, event.seq): event for event in events}
    shown: Shown = {}
    used: set[str] = set()
    for number, line in enumerate(files.get(names.OPENINGS, b"").splitlines(), start=1):
        place = f"{names.OPENINGS} line {number}"
        opening = _read(line)
        if opening is None:
            findings.add("content", place, "cannot be read")
            continue
        event = by_place.get((opening.epoch, opening.seq))
        blob = names.blob(opening.sha256)
        used.add(blob)
        data = files.get(blob)
        problem = _problem(opening, event, data)
        if problem is not None:
            findings.add(
                "content", place, f"{opening.part[:200]} {problem}", opening.seq, opening.epoch
            )
        elif data is not None:
            shown.setdefault((opening.epoch, opening.seq), {})[opening.part] = data
    for name in sorted(name for name in files if name.startswith(names.BLOBS)):
        if name not in used:
            findings.add("content", name, "belongs to no event")
    return shown


def _read(line: bytes) -> Opening | None:
    try:
        opening = _openings.decode(line)
        bytes.fromhex(opening.opening)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return None
    return opening


def _problem(opening: Opening, event: Event | None, data: bytes | None) -> str | None:
    if event is None:
        return "is of an event that is not there"
    if data is None:
        return "is absent"
    if canonical.sha256(data) != opening.sha256:
        return "was changed"
    committed = event.blobs.get(opening.part)
    if sealing.opened_commitment(bytes.fromhex(opening.opening), data) != committed:
        return "is not what the event committed to"
    return None
