"""What verification found: where an export is not what was signed."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

FINDINGS_MAX = 50

Kind = Literal[
    "container", "signature", "file", "event", "chain", "receipt", "content", "artifact", "log"
]


class Finding(Struct, frozen=True):
    """`place` is a file, or a place in one. `seq` names the event that was touched, if it is one.

    `kind`: `container` (files that are absent or do not belong), `signature`, `file` (other bytes
    than the receipt lists), `event` (other bytes than were recorded), `chain` (does not follow the
    event before), `receipt` (says other than the events), `content` (not what was committed to),
    `artifact` (a file hashed again is not the one the receipt names), `log` (the proof that the run
    is in its project's log does not hold).
    """

    kind: Kind
    place: str
    detail: str
    seq: int | None = None
    epoch: int | None = None


class Checked(Struct, frozen=True):
    """The outcome. `signed_by` is the key whose signature holds, None where none does. `erased`
    is what was signed of an erasure of the run: when, with what, by whom. `log_size` is the size
    of the project's log in which the run is proved to be. `compromised_at` is when the key fell
    into other hands, where it did: what was recorded before still holds."""

    ok: bool
    run_id: str | None
    events: int
    signed_by: str | None
    finding_count: int
    findings: tuple[Finding, ...]
    artifacts: dict[str, str] = {}
    erased: dict[str, Any] | None = None
    log_size: int | None = None
    compromised_at: str | None = None


class Findings:
    """Collects; the count is right also beyond those that are named."""

    def __init__(self) -> None:
        self.count = 0
        self.named: list[Finding] = []

    def add(
        self, kind: Kind, place: str, detail: str, seq: int | None = None, epoch: int | None = None
    ) -> None:
        self.count += 1
        if len(self.named) < FINDINGS_MAX:
            self.named.append(Finding(kind, place, detail, seq, epoch))
