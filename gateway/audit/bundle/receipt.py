"""RECEIPT.json: what a run did, by whom and when, and the hash of everything that shows it.

A pure function of the events and of the content that is shown with them. So whoever verifies an
export works the receipt out again from the events and compares: it cannot say other than they.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.audit import chain
from gateway.audit.bundle.names import RECEIPT, SCHEMA, SIGNATURE, VERSION
from gateway.audit.signing.ed25519 import ALGORITHM
from gateway.domain import canonical, content, projections
from gateway.domain.events import DecisionBody, Event, ResultBody
from gateway.domain.frame import FrameAmount
from gateway.domain.projections import RunRow

Json = dict[str, Any]
# The content of an event by part, those parts that are shown.
Shown = Mapping[str, bytes]
NO_DIGESTS: Mapping[str, str] = {}


class Told(Struct, frozen=True, gc=False):
    """An event and its hash, with the content that is shown of it."""

    event: Event
    hash: str
    shown: Shown


class _Known(Struct, frozen=True, gc=False):
    """What is told, with the event's body read."""

    told: Told
    event: Event
    body: Any


def of_run(told: Sequence[Told], erased: Json | None = None) -> Json:
    """The receipt but for its files. `erased` is what the record says of an erasure."""
    events = [each.event for each in told]
    known = [_Known(each, each.event, projections.open_body(each.event)) for each in told]
    first, last = events[0], events[-1]
    row = _row(known)
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "project_id": first.project_id,
        "run_id": first.run_id,
        "run": msgspec.to_builtins(row),
        "by": _by(known, row),
        "events": {
            "count": len(told),
            "last_seq": max([each.seq for each in events]),
            "epochs": len({each.epoch for each in events}),
            "types": _counted([each.type for each in events]),
        },
        "chain": {
            "algorithm": "sha256",
            "version": chain.VERSION,
            "genesis": chain.genesis(first.project_id, first.run_id),
            "head": told[-1].hash,
            "hashes": [each.hash for each in told],
        },
        "timings": {
            "first_occurred_at": first.occurred_at,
            "first_recorded_at": first.recorded_at,
            "last_recorded_at": last.recorded_at,
            "ended_at": row.ended_at,
        },
        **_what(known),
        "content": _content(told, erased),
    }


def listing(files: Mapping[str, bytes], digests: Mapping[str, str] = NO_DIGESTS) -> Json:
    """Digest and size of all files that a receipt lists: it cannot list itself, nor the signature
    over it. `digests` are those that are known by name."""
    return {
        name: {"sha256": digests.get(name) or canonical.sha256(data), "bytes": len(data)}
        for name, data in files.items()
        if name not in (RECEIPT, SIGNATURE)
    }


def with_files(receipt: Json, listed: Json, key_id: str | None) -> Json:
    """The whole receipt. `listed` are all other files; `key_id` is of what will sign."""
    return {
        **receipt,
        "files": listed,
        "signature": {
            "algorithm": ALGORITHM,
            "state": "unsigned" if key_id is None else "signed",
            "key_id": key_id,
        },
    }


def encode(receipt: Json) -> bytes:
    return canonical.encode(receipt)


def joined(told: Told) -> dict[str, bytes]:
    """The shown parts put together; those whose whole is not shown belong to nothing."""
    try:
        return content.join(
            {
                name: data
                for name, data in told.shown.items()
                if name.partition("/")[0] in told.shown
            }
        )
    except ValueError:
        return {}


def _row(known: Sequence[_Known]) -> RunRow:
    row: RunRow | None = None
    amounts: dict[str, FrameAmount | None] = {}
    for each in known:
        if isinstance(each.body, DecisionBody):
            amounts[each.body.decision_id] = projections.counted_amount(each.body)
        row = projections.run_after(row, each.event, each.body, amounts.get)
    assert row is not None
    return row


def _by(known: Sequence[_Known], row: RunRow) -> Json:
    decisions = [each.body for each in known if isinstance(each.body, DecisionBody)]
    return {
        "agent_id": row.agent_id,
        "user_id": row.user_id,
        "actors": _counted([each.event.actor for each in known]),
        "policies": sorted({each.policy_digest for each in decisions}),
        "engines": sorted({f"{each.engine.name} {each.engine.version}" for each in decisions}),
    }


def _what(known: Sequence[_Known]) -> Json:
    actions, verification, artifacts, models = [], [], [], []
    for each in known:
        event = each.event
        if event.type == "decision":
            actions.append(_action(event, each.body))
        elif event.type == "result":
            actions.append(_result(event, each.body))
        elif event.type == "verification":
            verification.append(_named(each.told, ("status",)))
        elif event.type == "artifact":
            artifacts.append(_named(each.told, ("digest", "size", "media_type")))
        elif event.type == "model_call":
            models.append(
                _named(
                    each.told,
                    ("provider", "prompt_version", "usage", "cost", "duration_ns"),
                    named=False,
                )
            )
    return {
        "actions": actions,
        "verification": verification,
        "artifacts": artifacts,
        "model_calls": models,
    }


def _action(event: Event, body: DecisionBody) -> Json:
    return {
        "seq": event.seq,
        "at": event.occurred_at,
        "decision_id": body.decision_id,
        "action_id": body.action_id,
        "tool": body.tool,
        "side_effects": sorted(body.side_effects),
        "verdict": body.verdict,
        "enforced": body.enforced,
        "mode": body.mode,
        "arguments_digest": body.arguments_digest,
        "policy_digest": body.policy_digest,
        "rules": [each.rule for each in body.rules],
    }


def _result(event: Event, body: ResultBody) -> Json:
    return {
        "seq": event.seq,
        "at": event.occurred_at,
        "decision_id": body.decision_id,
        "action_id": body.action_id,
        "status": body.status,
        "output_digest": body.output_digest,
        "duration_ns": body.duration_ns,
    }


def _named(told: Told, fields: tuple[str, ...], *, named: bool = True) -> Json:
    """An observation's evidence, and its name where content is shown: names are content."""
    body = _object(told.event.body)
    found = {name: body[name] for name in fields if body.get(name) is not None}
    if named:
        observed = _object(joined(told).get("observation", b"{}"))
        found["name"] = observed.get("name")
    return {"seq": told.event.seq, "at": told.event.occurred_at, **found}


def _object(data: bytes | msgspec.Raw) -> Json:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _counted(names: list[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _content(told: Sequence[Told], erased: Json | None) -> Json:
    committed = sum([len(each.event.blobs) for each in told])
    shown = sum([len(each.shown) for each in told])
    found: Json = {"committed": committed, "shown": shown, "not_shown": committed - shown}
    return found if erased is None else {**found, "erased": erased}
