"""Shown content against the commitments in the events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gateway.audit.bundle import names
from gateway.audit.bundle.assembling import Opening, encode_openings
from gateway.audit.bundle.findings import Findings
from gateway.domain import sealing
from gateway.domain.events import Event

Json = dict[str, Any]
Shown = dict[tuple[int, int], dict[str, bytes]]

_decoder = msgspec.json.Decoder(Opening)


def shown_content(
    files: Mapping[str, bytes], listed: Json, events: Sequence[Event], findings: Findings
) -> Shown:
    """By (epoch, seq), the parts whose blob is what the event committed to. `listed` is what the
    files are: each one's digest was worked out already."""
    by_place = {(event.epoch, event.seq): event for event in events}
    blobs = {
        digest: data
        for name, data in files.items()
        if name.startswith(names.BLOBS)
        and (digest := name.removeprefix(names.BLOBS)) == listed[name]["sha256"]
    }
    shown: Shown = {}
    used: set[str] = set()
    place, event, here = None, None, {}
    for number, line in enumerate(_read(files.get(names.OPENINGS, b"")), start=1):
        if line is None:
            findings.add("content", f"{names.OPENINGS} line {number}", "cannot be read")
            continue
        opening, key = line
        at = (opening.epoch, opening.seq)
        if at != place:
            place, event, here = at, by_place.get(at), shown.setdefault(at, {})
        data = blobs.get(opening.sha256)
        used.add(opening.sha256)
        if (
            event is not None
            and data is not None
            and sealing.opened_commitment(key, data) == event.blobs.get(opening.part)
        ):
            here[opening.part] = data
        else:
            detail = f"{opening.part[:200]} {_problem(opening, event, data, files)}"
            findings.add("content", f"{names.OPENINGS} line {number}", detail, at[1], at[0])
    for name in sorted(name for name in files if name.startswith(names.BLOBS)):
        if name.removeprefix(names.BLOBS) not in used:
            findings.add("content", name, "belongs to no event")
    return shown


def _read(data: bytes) -> Iterable[tuple[Opening, bytes] | None]:
    """Each line as an opening and the key in it, None where it is none.

    What is as we would write it ourselves is read at once, all else line by line.
    """
    try:
        found = _decoder.decode_lines(data)
        if encode_openings(found) == data:
            return zip(found, [bytes.fromhex(each.opening) for each in found], strict=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        pass
    return [_line(line) for line in data.splitlines()]


def _line(line: bytes) -> tuple[Opening, bytes] | None:
    try:
        opening = _decoder.decode(line)
        return opening, bytes.fromhex(opening.opening)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def _problem(
    opening: Opening, event: Event | None, data: bytes | None, files: Mapping[str, bytes]
) -> str:
    if event is None:
        return "is of an event that is not there"
    if names.blob(opening.sha256) not in files:
        return "is absent"
    return "was changed" if data is None else "is not what the event committed to"
