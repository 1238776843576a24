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
from gateway.audit.bundle.names import SCHEMA, VERSION
from gateway.audit.signing.ed25519 import ALGORITHM
from gateway.domain import canonical, content, projections
from gateway.domain.events import DecisionBody, Event, ResultBody
from gateway.domain.frame import FrameAmount
from gateway.domain.projections import RunRow

Json = dict[str, Any]
# The content of an event by part, those parts that are shown.
Shown = Mapping[str, bytes]


class Told(Struct, frozen=True):
    """An event and its hash, with the content that is shown of it."""

    event: Event
    hash: str
    shown: Shown


def of_run(told: Sequence[Told], files: Mapping[str, bytes], key_id: str | None) -> Json:
    """The receipt. `files` are all others of the export; `key_id` is that of what will sign."""
    first, last = told[0].event, told[-1].event
    row = _row(told)
    replay_digest = _digests(files)
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "project_id": first.project_id,
        "run_id": first.run_id,
        "run": msgspec.to_builtins(row),
        "by": _by(told, row),
        "events": {
            "count": len(told),
            "last_seq": max(each.event.seq for each in told),
            "epochs": len({each.event.epoch for each in told}),
            "types": dict(sorted(Counter(each.event.type for each in told).items())),
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
        **_what(told),
        "content": _content(told),
        "files": replay_digest,
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


def _row(told: Sequence[Told]) -> RunRow:
    row: RunRow | None = None
    amounts: dict[str, FrameAmount | None] = {}
    for each in told:
        body = projections.open_body(each.event)
        if isinstance(body, DecisionBody):
            amounts[body.decision_id] = projections.counted_amount(body)
        row = projections.run_after(row, each.event, body, amounts.get)
    assert row is not None
    return row


def _by(told: Sequence[Told], row: RunRow) -> Json:
    return {
        "agent_id": row.agent_id,
        "user_id": row.user_id,
        "actors": dict(sorted(Counter(each.event.actor for each in told).items())),
        "policies": sorted({each.policy_digest for each in _decisions(told)}),
        "engines": sorted(
            {f"{each.engine.name} {each.engine.version}" for each in _decisions(told)}
        ),
    }


def _what(told: Sequence[Told]) -> Json:
    actions, verification, artifacts, models = [], [], [], []
    for each in told:
        event = each.event
        if event.type == "decision":
            actions.append(_action(event))
        elif event.type == "result":
            actions.append(_result(event))
        elif event.type == "verification":
            verification.append(_named(each, ("status",)))
        elif event.type == "artifact":
            artifacts.append(_named(each, ("digest", "size", "media_type")))
        elif event.type == "model_call":
            models.append(
                _named(
                    each,
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


def _action(event: Event) -> Json:
    body: DecisionBody = projections.open_body(event)
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


def _result(event: Event) -> Json:
    body: ResultBody = projections.open_body(event)
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


def _decisions(told: Sequence[Told]) -> list[DecisionBody]:
    return [projections.open_body(each.event) for each in told if each.event.type == "decision"]


def _content(told: Sequence[Told]) -> Json:
    committed = sum(len(each.event.blobs) for each in told)
    shown = sum(len(each.shown) for each in told)
    return {"committed": committed, "shown": shown, "not_shown": committed - shown}


def _digests(files: Mapping[str, bytes]) -> Json:
    return {
        name: {"sha256": canonical.sha256(data), "bytes": len(data)} for name, data in files.items()
    }
