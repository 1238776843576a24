"""A proof in a file of its own, which a public key is enough to verify.

`inclusion` holds an event as it was hashed, and leads from its hash to a signed checkpoint.
`consistency` holds two signed checkpoints, and shows that the later log begins with the earlier.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from gateway.audit.log import checkpoint, merkle
from gateway.audit.log.checkpoint import Checkpoint, NoteBroken, origin_of
from gateway.audit.log.merkle import ProofWrong
from gateway.audit.log.proving import hash_of, text_of
from gateway.audit.log.tree import LogTree
from gateway.audit.signing.ed25519 import PublicKeys
from gateway.domain import canonical

VERSION = 1
FILE_BYTES_MAX = 4 * 1024 * 1024


class Inclusion(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="inclusion"):
    """`event`, whose SHA-256 is the leaf, stands at place `index` of the log of `checkpoint`.

    `proof` are the hashes of RFC 9162, 2.1.3, in base64.
    """

    version: int
    event: str
    index: int
    proof: list[str]
    checkpoint: str


class Consistency(
    Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="consistency"
):
    """The log of `checkpoint` begins with that of `before`: RFC 9162, 2.1.4."""

    version: int
    before: str
    checkpoint: str
    proof: list[str]


class Proven(Struct, frozen=True):
    """What a proof shows: of a log of `size` leaves, signed by these keys.

    An inclusion names its event, a consistency the size `before`. Roots are in base64, as in the
    notes: a signer with two histories can prove each by itself, so they are to be held against what
    a witness has. `compromised_at` is when the key fell into other hands.
    """

    kind: str
    origin: str
    size: int
    root: str
    signed_by: tuple[str, ...]
    run_id: str | None = None
    seq: int | None = None
    event_type: str | None = None
    recorded_at: str | None = None
    index: int | None = None
    before: int | None = None
    before_root: str | None = None
    compromised_at: str | None = None


class _Event(Struct, frozen=True):
    project_id: str
    run_id: str
    seq: int
    type: str
    recorded_at: str


_proofs = msgspec.json.Decoder(Inclusion | Consistency)
_events = msgspec.json.Decoder(_Event)


async def inclusion(tree: LogTree, index: int, record: bytes, size: int, note: bytes) -> Inclusion:
    """The proof that an event, whose hashed bytes are `record`, is under this checkpoint."""
    proof = [text_of(each) for each in await tree.inclusion(index, size)]
    return Inclusion(VERSION, record.decode(), index, proof, note.decode())


async def consistency(
    tree: LogTree, sizes: tuple[int, int], before: bytes, note: bytes
) -> Consistency:
    """The proof that leads from one checkpoint to a later one."""
    proof = [text_of(each) for each in await tree.consistency(*sizes)]
    return Consistency(VERSION, before.decode(), note.decode(), proof)


def encode(proof: Inclusion | Consistency) -> bytes:
    return canonical.encode(proof)


def verify(data: bytes, keys: PublicKeys, compromised: Mapping[str, str] | None = None) -> Proven:
    """What a proof file shows. Raises ProofWrong, NoteBroken when it does not show it.

    A key that was compromised vouches for events from before, and for no checkpoint by itself:
    nothing says when a note was signed.
    """
    try:
        proof = _proofs.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProofWrong(f"the proof cannot be read: {error}") from error
    if proof.version != VERSION:
        raise ProofWrong("the proof is of another release")
    if isinstance(proof, Inclusion):
        return _included(proof, keys, compromised or {})
    return _consistent(proof, keys, compromised or {})


def hold(proven: Proven, note: bytes, keys: PublicKeys) -> None:
    """Hold what was proven against a checkpoint that somebody else kept.

    Raises NoteBroken, and ProofWrong when the proof speaks of another history, or of other sizes.
    """
    kept = checkpoint.read(note, proven.origin, keys)
    roots = {proven.size: proven.root, proven.before: proven.before_root}
    root = roots.get(kept.size)
    if root is None:
        raise ProofWrong(f"it says nothing about the checkpoint of {kept.size:,} events")
    if root != text_of(kept.root):
        raise ProofWrong(f"it is of another log than the checkpoint of {kept.size:,} events")


def origin_in(note: bytes) -> str:
    """The log that a note says it is of; whether it is, its signature shows."""
    return note.decode("utf-8", "replace").partition("\n")[0]


def _included(proof: Inclusion, keys: PublicKeys, compromised: Mapping[str, str]) -> Proven:
    record = proof.event.encode()
    try:
        event = _events.decode(record)
    except msgspec.MsgspecError as error:
        raise ProofWrong(f"the event cannot be read: {error}") from error
    noted, signed_by = _read(proof.checkpoint, origin_of(event.project_id), keys)
    leaf = merkle.leaf_hash(hashlib.sha256(record).digest())
    hashes = [hash_of(each) for each in proof.proof]
    merkle.check_inclusion(proof.index, noted.size, leaf, hashes, noted.root)
    since = _since(signed_by, compromised)
    if since is not None and _instant(event.recorded_at) >= _instant(since):
        raise ProofWrong(f"it was made with a key that was compromised at {since}")
    return Proven(
        "inclusion",
        noted.origin,
        noted.size,
        text_of(noted.root),
        signed_by,
        run_id=event.run_id,
        seq=event.seq,
        event_type=event.type,
        recorded_at=event.recorded_at,
        index=proof.index,
        compromised_at=since,
    )


def _consistent(proof: Consistency, keys: PublicKeys, compromised: Mapping[str, str]) -> Proven:
    origin = origin_in(proof.checkpoint.encode())
    before, _ = _read(proof.before, origin, keys)
    now, signed_by = _read(proof.checkpoint, origin, keys)
    hashes = [hash_of(each) for each in proof.proof]
    merkle.check_consistency(before.size, now.size, before.root, hashes, now.root)
    since = _since(signed_by, compromised)
    if since is not None:
        raise ProofWrong(f"the later one was made with a key that was compromised at {since}")
    return Proven(
        "consistency",
        origin,
        now.size,
        text_of(now.root),
        signed_by,
        before=before.size,
        before_root=text_of(before.root),
    )


def _read(note: str, origin: str, keys: PublicKeys) -> tuple[Checkpoint, tuple[str, ...]]:
    """A checkpoint, and all keys that signed it."""
    noted = checkpoint.read(note.encode(), origin, keys)
    return noted, tuple(name for name in sorted(keys) if _signed(note, origin, name, keys))


def _signed(note: str, origin: str, name: str, keys: PublicKeys) -> bool:
    try:
        checkpoint.read(note.encode(), origin, {name: keys[name]})
    except NoteBroken:
        return False
    return True


def _since(signed_by: tuple[str, ...], compromised: Mapping[str, str]) -> str | None:
    """When the last of the keys that signed was compromised; None while one of them is not."""
    if any(each not in compromised for each in signed_by):
        return None
    return max((compromised[each] for each in signed_by), default=None)


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ProofWrong(f"{text} is no time") from error
    if found.tzinfo is None:
        raise ProofWrong(f"{text} is a time of nowhere")
    return found


__all__ = [
    "Consistency",
    "Inclusion",
    "NoteBroken",
    "ProofWrong",
    "Proven",
    "consistency",
    "encode",
    "hold",
    "inclusion",
    "origin_in",
    "verify",
]
