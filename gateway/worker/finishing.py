"""From a journal's raw record to a finished event: opened, split, committed to and sealed again.

Pure but for the nonces of the seals. A record that cannot be opened becomes an `unreadable` event
with an id of its own making, the same every time, so that it too is recorded exactly once.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.domain import blobs, canonical, content, sealing
from gateway.domain.blobs import RunKeys
from gateway.domain.events import BODIES, Draft, Event, UnreadableBody
from gateway.domain.sealing import SealBroken
from gateway.storage import record
from gateway.storage.ports import Claim, Persist, SealedBlob
from gateway.storage.record import RecordUnreadable

# What is remembered for those that repeat it may hold so many bytes, about.
REPEATED_BYTES = 32 * 1024 * 1024
# What an entry takes besides its bytes.
ENTRY_BYTES = 500

_bodies = {kind: msgspec.json.Decoder(body) for kind, body in BODIES.items()}
_objects = msgspec.json.Decoder(dict[str, Any])


class Repeated(Struct):
    """What has been cut and sealed already: a check repeats most of what the one before it said, so
    looking the bytes up saves two thirds of the work. Equal parts of a run need one seal.

    When it holds too much it begins anew.
    """

    sealed: dict[tuple[str, str, bytes], dict[bytes, SealedBlob]] = {}
    cuts: content.Cuts = {}
    size: int = 0

    def bound(self, most: int = REPEATED_BYTES) -> None:
        """Forget everything when there is too much of it."""
        if self.size > most:
            self.sealed.clear()
            self.cuts.clear()
            self.size = 0


class Unreadable(ValueError):
    """The claim cannot become the event it was; the text is a word for `problem`."""


class Finished(Struct, frozen=True):
    """`persist` is what goes to the ledger; `problem` is set when it is an `unreadable` event."""

    claim: Claim
    persist: Persist
    problem: str | None = None


def finish(claim: Claim, keys: RunKeys | None, repeated: Repeated, now: str) -> Finished:
    """The event of a claim. `keys` is None when the run's secret cannot be had any more.

    `now` (RFC 3339) is when an unreadable record was found to be so.
    """
    try:
        return Finished(claim, _readable(claim, keys, repeated))
    except Unreadable as problem:
        return unreadable(claim, str(problem), now)


def unreadable(claim: Claim, problem: str, now: str) -> Finished:
    """The claim as evidence of itself: the digest and the size of its bytes, at its seq."""
    return Finished(claim, _evidence(claim, claim.seq, claim.raw, problem, now), problem)


def missing(behind: Claim, seq: int, now: str) -> Persist:
    """What stands at a seq whose record is gone for good, so that those behind it can follow."""
    return _evidence(behind, seq, b"", "missing", now)


def _readable(claim: Claim, keys: RunKeys | None, repeated: Repeated) -> Persist:
    if keys is None:
        raise Unreadable("secret")
    try:
        draft, ciphertext = record.decode(claim.raw)
    except RecordUnreadable as error:
        raise Unreadable("record") from error
    opened = _opened(draft)
    place = (claim.project_id, claim.run_id)
    try:
        parts = record.open_content(keys.content, *place, draft.id, ciphertext)
        parts = content.split(parts, repeated.cuts)
    except SealBroken as error:
        raise Unreadable("seal") from error
    except ValueError as error:
        raise Unreadable("content") from error
    # A run has one secret, unless its store was lost and it began anew.
    known = repeated.sealed.setdefault((*place, keys.secret), {})
    before = len(known)
    committed = sealing.commitments(keys.secret, draft.id, parts)
    found = {
        name: (committed[name], known.get(data) or _seal(keys, place, data, known))
        for name, data in parts.items()
    }
    if len(known) > before:
        # What was cut anew is what is sealed anew, and what was around it.
        repeated.size += (len(known) - before) * ENTRY_BYTES + 3 * len(ciphertext)
    return Persist(_event(claim, draft, committed), found, opened)


def _opened(draft: Draft) -> Any:
    """The body as the projections read it, None where its type is open to any object.

    A body is stored as it is, so it must be the JSON object that its type says.
    """
    try:
        decoder = _bodies.get(draft.type)
        if decoder is not None:
            return decoder.decode(draft.body)
        _objects.decode(draft.body)
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("body") from error


def _seal(
    keys: RunKeys, place: tuple[str, str], data: bytes, known: dict[bytes, SealedBlob]
) -> SealedBlob:
    key = sealing.storage_key(keys.secret, data)
    blob = known[data] = SealedBlob(key, blobs.seal_part(keys, *place, key, data))
    return blob


def _event(claim: Claim, draft: Draft, commitments: dict[str, str]) -> Event:
    return Event(
        id=draft.id,
        project_id=claim.project_id,
        environment=claim.environment,
        run_id=claim.run_id,
        seq=claim.seq,
        type=draft.type,
        occurred_at=draft.occurred_at,
        recorded_at=draft.recorded_at,
        actor=draft.actor,
        body=Raw(draft.body),
        blobs=commitments,
        prev_hash="",
        turn_id=draft.turn_id,
        action_id=draft.action_id,
        parent_id=draft.parent_id,
    )


def _evidence(claim: Claim, seq: int, raw: bytes, problem: str, now: str) -> Persist:
    digest = canonical.sha256(raw)
    named = canonical.encode([claim.project_id, claim.run_id, seq, digest, problem])
    body = UnreadableBody(raw_digest=digest, raw_size=len(raw), problem=problem)
    event = Event(
        id=f"evt_{canonical.sha256(named)[:32]}",
        project_id=claim.project_id,
        environment=claim.environment,
        run_id=claim.run_id,
        seq=seq,
        type="unreadable",
        occurred_at=now,
        recorded_at=now,
        actor="gateway",
        body=Raw(canonical.encode(body)),
        blobs={},
        prev_hash="",
    )
    return Persist(event, {})
