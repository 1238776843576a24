"""A project's log over HTTP: signed checkpoints, and proofs that lead to and between them."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import named_run, run_missing
from gateway.audit.log import checkpoint
from gateway.audit.log.proving import prove, text_of
from gateway.audit.log.tree import LogTree
from gateway.audit.signing.ed25519 import Signer
from gateway.audit.signing.keys import PURPOSE, SigningKeys
from gateway.errors import Conflict, NotFound
from gateway.replay.opening import read_event

Size = Annotated[int, Meta(ge=0, le=2**53 - 1, description="How many leaves the log had.")]


class CheckpointQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The log as it is now, or as it was at an earlier `size`."""

    size: Size | UnsetType = UNSET


class LogCheckpoint(Struct, frozen=True):
    """`note` is a signed note of the C2SP specifications, to keep elsewhere. `root` is base64."""

    origin: str
    size: int
    root: str
    key_id: str
    note: str


class ConsistencyQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The log when it had `before` leaves, and at `size`, otherwise now."""

    before: Size = 0
    size: Size | UnsetType = UNSET


class LogConsistency(Struct, frozen=True):
    """That the log at `size` begins with the log at `before`: RFC 9162, 2.1.4, in base64."""

    before: int
    size: int
    proof: list[str]
    checkpoint: str


class LogInclusion(Struct, frozen=True):
    """That a run's last event, and with it the whole run, is in the log: RFC 9162, 2.1.3.

    `leaf` is the event's hash, `index` its place, `checkpoint` the signed note for `size`.
    """

    run_id: str
    leaf: str
    index: int
    size: int
    proof: list[str]
    checkpoint: str


async def _checkpoint(parts: Parts, call: Call) -> Answer:
    query: CheckpointQuery = call.query
    tree = parts.logs.of(call.caller.project_id)
    signer = await _signer(parts)
    size = await _size(tree, query.size)
    found = await tree.checkpoint(size)
    note = checkpoint.sign(found, signer).decode()
    return Answer(LogCheckpoint(found.origin, size, text_of(found.root), signer.key_id, note))


async def _consistency(parts: Parts, call: Call) -> Answer:
    query: ConsistencyQuery = call.query
    tree = parts.logs.of(call.caller.project_id)
    signer = await _signer(parts)
    size = await _size(tree, query.size)
    if query.before > size:
        raise NotFound("not_in_log", "The log was never larger before.")
    proof = [text_of(each) for each in await tree.consistency(query.before, size)]
    note = checkpoint.sign(await tree.checkpoint(size), signer).decode()
    return Answer(LogConsistency(query.before, size, proof, note))


async def _inclusion(parts: Parts, call: Call) -> Answer:
    query: CheckpointQuery = call.query
    project_id, run_id = call.caller.project_id, named_run(call)
    headers = await freshness.of_run(parts, project_id, run_id)
    head = await _head(parts, project_id, run_id)
    if head is None:
        raise run_missing(headers)
    tree = parts.logs.of(project_id)
    signer = await _signer(parts)
    size = await _size(tree, query.size)
    proof = await prove(parts.ledger, tree, project_id, run_id, *head, signer, size)
    if proof is None:
        detail = "The run's last event has no place in the log at that size yet."
        raise NotFound("not_in_log", detail)
    return Answer(
        LogInclusion(
            run_id=run_id,
            leaf=head[1],
            index=proof.index,
            size=size,
            proof=proof.proof,
            checkpoint=proof.checkpoint,
        ),
        headers,
    )


async def _head(parts: Parts, project_id: str, run_id: str) -> tuple[int, str] | None:
    """The seq and the hash of the last event of a run's chain."""
    last = await parts.ledger.last_seq(project_id, run_id)
    found = await parts.ledger.events(project_id, run_id, max(0, last - 1), 100)
    if not found:
        return None
    # Both of one event: others may have come since. After a failover the chain goes on behind the
    # newest event, which need not have the highest seq.
    read = [(read_event(each), each.hash) for each in found]
    event, digest = max(read, key=lambda each: (each[0].epoch, each[0].seq))
    return event.seq, digest


async def _size(tree: LogTree, wanted: int | UnsetType) -> int:
    now = await tree.size()
    if isinstance(wanted, UnsetType):
        return now
    if wanted > now:
        raise NotFound("not_in_log", f"The log has {now:,} leaves.")
    return wanted


async def _signer(parts: Parts) -> Signer:
    signer = await SigningKeys(parts.control, parts.keyring.derived(PURPOSE)).signer()
    if signer is None:
        detail = "Nothing can be signed before a key was made: checkrein audit keys create"
        raise Conflict("no_signing_key", detail)
    return signer


LOG_CHECKPOINT: Final = Endpoint(
    _checkpoint,
    Operation(
        id="getLogCheckpoint",
        method="GET",
        path="/v1/audit/log/checkpoint",
        scope="read",
        summary="How the project's log stands, signed",
        description=(
            "Origin, size and root of the Merkle tree over all events of the project in commit "
            "order. Whoever keeps it elsewhere can show later that events were removed."
        ),
        query=CheckpointQuery,
        reply=LogCheckpoint,
        problems=("no_signing_key", "not_in_log"),
    ),
)

LOG_CONSISTENCY: Final = Endpoint(
    _consistency,
    Operation(
        id="getLogConsistency",
        method="GET",
        path="/v1/audit/log/consistency",
        scope="read",
        summary="A proof that the log only grew",
        description="Between two sizes of the log; the roots are those of two checkpoints.",
        query=ConsistencyQuery,
        reply=LogConsistency,
        problems=("no_signing_key", "not_in_log"),
    ),
)

LOG_INCLUSION: Final = Endpoint(
    _inclusion,
    Operation(
        id="getLogInclusion",
        method="GET",
        path="/v1/runs/{run_id}/inclusion",
        scope="read",
        summary="A proof that a run is in the log",
        description=(
            "Of the run's last event, whose hash speaks for all before it. What was recorded a "
            "moment ago may have no place yet."
        ),
        query=CheckpointQuery,
        reply=LogInclusion,
        problems=("run_not_found", "no_signing_key", "not_in_log"),
    ),
)
