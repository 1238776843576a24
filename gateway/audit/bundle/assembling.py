"""The files of an export, from a run that was taken out of the ledger. No clock, no chance."""

from __future__ import annotations

from collections.abc import Sequence

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


class Opening(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of OPENINGS.jsonl: which part of which event lies in which blob."""

    epoch: int
    seq: int
    part: str
    opening: str
    sha256: str


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
    told = [
        Told(each.event, each.stored.hash, {part.name: part.data for part in each.parts})
        for each in taken
    ]
    files = _evidence(taken)
    key_id = None if signer is None else signer.key_id
    if logged is not None:
        files[names.LOG] = proving.encode(logged)
    said = None if erased is None else msgspec.to_builtins(erased)
    facts = receipt.of_run(told, said)
    files[names.SUMMARY] = summary.of_receipt(facts)
    written = receipt.encode(receipt.with_files(facts, files, key_id))
    files[names.RECEIPT] = written
    if signer is not None:
        files[names.SIGNATURE] = dsse.enclose(signer, names.PAYLOAD_TYPE, written)
    return dict(sorted(files.items()))


def _evidence(taken: Sequence[Taken]) -> dict[str, bytes]:
    files = {names.RECIPE: recipe.text()}
    files[names.REPLAY] = b"".join(each.stored.record + b"\n" for each in taken)
    openings = []
    for each in taken:
        for part in each.parts:
            digest = canonical.sha256(part.data)
            files[names.blob(digest)] = part.data
            openings.append(
                Opening(each.event.epoch, each.event.seq, part.name, part.opening.hex(), digest)
            )
    files[names.OPENINGS] = b"".join(canonical.encode(each) + b"\n" for each in openings)
    return files
