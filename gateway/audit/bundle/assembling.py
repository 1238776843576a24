"""The files of an export, from a run that was taken out of the ledger. No clock, no chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from gateway.audit.bundle import names, receipt, recipe, summary
from gateway.audit.bundle.reading import Taken
from gateway.audit.bundle.receipt import Told
from gateway.audit.log import proving
from gateway.audit.log.proving import LogProof
from gateway.audit.signing import dsse
from gateway.audit.signing.ed25519 import Signer
from gateway.domain import canonical
from gateway.storage.ports import Erased


class Opening(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A line of OPENINGS.jsonl: which part of which event lies in which blob.

    The fields stand in the order of their names, so that their bytes are canonical as they are.
    """

    epoch: int
    opening: str
    part: str
    seq: int
    sha256: str


_lines = msgspec.json.Encoder()


def encode_openings(openings: Sequence[Opening]) -> bytes:
    """OPENINGS.jsonl."""
    return _lines.encode_lines(openings)


def assemble(
    taken: Sequence[Taken],
    signer: Signer | None,
    erased: Erased | None = None,
    logged: LogProof | None = None,
) -> dict[str, bytes]:
    """Every file by its name, in order of the names; unsigned where nothing signs.

    `erased` is what the record says of an erasure of this run, `logged` shows that its last event
    is in the project's log.
    """
    assert taken
    told = [Told(each.event, each.stored.hash, each.shown) for each in taken]
    files = {names.RECIPE: recipe.text()}
    files[names.REPLAY] = b"\n".join([*(each.stored.record for each in taken), b""])
    digests = _blobs(taken, files)
    files[names.OPENINGS] = _openings(taken, digests)
    key_id = None if signer is None else signer.key_id
    if logged is not None:
        files[names.LOG] = proving.encode(logged)
    said = None if erased is None else msgspec.to_builtins(erased)
    facts = receipt.of_run(told, said)
    files[names.SUMMARY] = summary.of_receipt(facts)
    written = receipt.encode(
        receipt.with_files(
            facts,
            receipt.listing(files, {names.blob(each): each for each in digests.values()}),
            key_id,
        )
    )
    files[names.RECEIPT] = written
    if signer is not None:
        files[names.SIGNATURE] = dsse.enclose(signer, names.PAYLOAD_TYPE, written)
    return dict(sorted(files.items()))


def _blobs(taken: Sequence[Taken], files: dict[str, bytes]) -> dict[str, str]:
    """Put the content into `files`; return the digests by the key under which it is stored."""
    digests: dict[str, str] = {}
    for each in taken:
        for name, data in each.shown.items():
            key = each.stored.blob_keys[name]
            if key not in digests:
                digest = digests[key] = canonical.sha256(data)
                files[names.blob(digest)] = data
    return digests


def _openings(taken: Sequence[Taken], digests: Mapping[str, str]) -> bytes:
    return encode_openings(
        [
            Opening(
                each.event.epoch,
                opening.hex(),
                name,
                each.event.seq,
                digests[each.stored.blob_keys[name]],
            )
            for each in taken
            for name, opening in each.openings.items()
        ]
    )
