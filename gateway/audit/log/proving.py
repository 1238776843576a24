"""LOG.json: that a run is in its project's log, as a checkpoint and one proof.

The proof is of the run's last event. Each event holds the hash of the one before, so with the last
one all of them are in the log. The checkpoint is the first that holds the run: so the same run
gives the same bytes whenever it is exported, and a consistency proof leads on from there.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from msgspec import Struct

from gateway.audit.log import checkpoint, merkle
from gateway.audit.log.checkpoint import Checkpoint, NoteBroken, origin_of
from gateway.audit.log.merkle import ProofWrong
from gateway.audit.log.tree import LogTree
from gateway.audit.signing.ed25519 import PublicKeys, Signer
from gateway.domain import canonical
from gateway.storage.ports import Ledger

VERSION = 1


class LogProof(Struct, frozen=True, forbid_unknown_fields=True):
    """Hash `leaf` stands at place `index` of the log that `checkpoint`, a signed note, is of.

    `proof` are the hashes of RFC 9162, 2.1.3, in base64.
    """

    version: int
    index: int
    leaf: str
    proof: list[str]
    checkpoint: str


async def prove(
    ledger: Ledger,
    tree: LogTree,
    project_id: str,
    run_id: str,
    seq: int,
    leaf: str,
    signer: Signer,
    size: int | None = None,
) -> LogProof | None:
    """The proof for the hash of a run's event, None when the log does not hold it at that size.

    Under the log at `size`, otherwise the smallest that holds it.
    """
    index = await ledger.place(project_id, run_id, seq, bytes.fromhex(leaf))
    if index is None or index >= await tree.size():
        return None
    under = index + 1 if size is None else size
    if index >= under:
        return None
    found = await tree.inclusion(index, under)
    note = checkpoint.sign(await tree.checkpoint(under), signer)
    return LogProof(VERSION, index, leaf, [text_of(each) for each in found], note.decode())


def encode(proof: LogProof) -> bytes:
    return canonical.encode(proof)


def check(data: bytes, project_id: str, leaf: str, keys: PublicKeys) -> Checkpoint:
    """The checkpoint under which the log holds this hash. Raises ProofWrong, NoteBroken."""
    try:
        read = msgspec.json.decode(data, type=LogProof)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProofWrong(f"cannot be read: {error}") from error
    if read.version != VERSION or encode(read) != data:
        raise ProofWrong("is not written as this release writes it")
    if read.leaf != leaf:
        raise ProofWrong("is of another event than the last one of the run")
    noted = checkpoint.read(read.checkpoint.encode(), origin_of(project_id), keys)
    hashes = [hash_of(each) for each in read.proof]
    digest = merkle.leaf_hash(bytes.fromhex(leaf))
    merkle.check_inclusion(read.index, noted.size, digest, hashes, noted.root)
    return noted


def text_of(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def hash_of(text: Any) -> bytes:
    """A hash of a proof. Raises ProofWrong."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofWrong("a hash is not base64") from error
    if len(found) != merkle.HASH_BYTES or text_of(found) != text:
        raise ProofWrong("a hash has another length, or is written in another way")
    return found


__all__ = ["LogProof", "NoteBroken", "ProofWrong", "check", "encode", "prove"]
