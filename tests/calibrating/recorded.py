"""Decisions with an assessment, as events that a gateway would append."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.domain import canonical
from gateway.domain import frame as frames
from gateway.domain.events import DecisionBody, Draft, event_of_decision
from tests import make
from tests.calibrating.cases import VERSION
from tests.ledger import events


def assessment(score: float | None, **more: Any) -> dict[str, Any]:
    """What a frame holds of the guard's answer."""
    return {
        "score": score,
        "heads": {"plan": None, "attribution": 0.2, "consistency": 0.1},
        "raw": {"plan": None, "attribution": -1.25, "consistency": -2.5},
        "threshold": None,
        "coverage": {"request": True, "plan": "none", "context": "none", "truncated": []},
        "signals": [{"check": "scale", "observed": "4,500", "expected": "45"}],
        "version": VERSION,
        **more,
    }


def assessed(
    decision_id: str,
    score: float | None,
    *,
    at: str = events.NOON,
    of: dict[str, Any] | None = None,
    assess: bool = True,
    **body: Any,
) -> Draft:
    """A decision's event; `of` goes into the assessment, `body` into the evidence."""
    told = assessment(score, **(of or {})) if assess else None
    checked = make.check(body.get("tool", "stripe.refund"), {"amount": 450000})
    frame = msgspec.structs.replace(make.frame(make.ruleset(), checked), assessment=told)
    draft = events.decided(
        frame=frames.encode(frame), recorded_at=at, decision_id=decision_id, **body
    )
    return msgspec.structs.replace(draft, id=event_of_decision(decision_id))


def body_of(draft: Draft) -> DecisionBody:
    return msgspec.json.decode(draft.body, type=DecisionBody)


def said(
    decision_id: str, label: str, labeller: str, *, actor: Any = "person", **words: str
) -> Draft:
    """A label's event."""
    body = {"decision_id": decision_id, "label": label, "labeller": labeller}
    content = {"observation": canonical.encode(words)} if words else {}
    return events.draft("feedback", body, content=content, actor=actor)
