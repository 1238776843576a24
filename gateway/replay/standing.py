"""How a recorded decision stands when it is judged again: what was said then beside what is said
now.

Under its own policy the same bytes are the proof. Under another policy bytes must differ, since a
decision names its policy; there it counts whether anything that the agent was told would change.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from gateway.domain.decision import Decision
from gateway.domain.events import DecisionBody
from gateway.domain.rule_results import EngineInfo
from gateway.domain.verdicts import Verdict
from gateway.replay.differences import first_difference
from gateway.replay.reassess import Finding
from gateway.replay.rejudge import NotReplayable, RecordedDecision, Rejudgement

Standing = Literal["exact", "redacted-equivalent", "same", "changed", "diverges", "not-replayable"]
Reason = Literal["masked", "erased", "broken", "incomplete", "policy", "engine"]

# What an SDK puts in the place of a value that it masked, before anything left the agent.
MASK: Final = re.compile(rb"\[[a-z_]{1,32}:[0-9a-f]{10}[\]:@]")
# A decision names its policy: under another one that is no news.
NAMED: Final = "policy_digest"

_objects: Final = msgspec.json.Decoder(dict[str, Any])


class Said(Struct, frozen=True):
    """What a judgement said, without its words: `rules` had a say, in order of their ids."""

    verdict: Verdict
    enforced: Verdict
    rules: tuple[str, ...]
    policy_digest: str


class Judged(Struct, frozen=True):
    """A decision judged again.

    Under its own policy: `exact` is the same bytes; `redacted-equivalent` the same bytes from a
    frame whose values were masked before they left the agent; `diverges` is another decision,
    first at `pointer` (RFC 6901, in the decision). Under another policy: `same` or `changed`.
    `not-replayable` has a `reason`: content is `erased`, `broken` or `incomplete`, the `policy`
    version is not kept, or another `engine` than the recorded one answers otherwise. `detail` says
    it in words.

    `failures` are rules that failed then, whose failure counted again. `assessed` tells whether
    the recorded assessment is what its version of the Intent Guard says.
    """

    decision_id: str
    run_id: str
    seq: int
    recorded_at: str
    tool: str
    standing: Standing
    recorded: Said
    now: Said | None = None
    reason: Reason | None = None
    detail: str | None = None
    pointer: str | None = None
    failures: tuple[str, ...] = ()
    engine: EngineInfo | None = None
    assessed: Finding | None = None


class Place(Struct, frozen=True):
    """Which decision of which run, as its event says."""

    run_id: str
    seq: int
    recorded_at: str
    body: DecisionBody


def lost(place: Place, failure: NotReplayable) -> Judged:
    """A decision whose record is not whole any more."""
    return _judged(place, standing="not-replayable", reason=failure.why, detail=str(failure))


def without_policy(place: Place, detail: str) -> Judged:
    """A decision under a policy version that cannot be had."""
    return _judged(place, standing="not-replayable", reason="policy", detail=detail)


def stands(place: Place, recorded: RecordedDecision, again: Rejudgement, *, own: bool) -> Judged:
    """How the decision stands; `own` when it was judged under the policy that is recorded."""
    told: dict[str, Any] = {
        "now": _said(again.said),
        "failures": again.failures,
        "engine": again.engine,
        "assessed": again.assessment,
    }
    if not own:
        pointer = _other_than_named(recorded.decision, again.decision)
        standing = "same" if pointer is None else "changed"
        return _judged(place, standing=standing, pointer=pointer, **told)
    if again.outcome == "exact":
        if MASK.search(recorded.frame) is None:
            return _judged(place, standing="exact", **told)
        detail = "Values were masked before they left the agent; the same masks were judged."
        standing = "redacted-equivalent"
        return _judged(place, standing=standing, reason="masked", detail=detail, **told)
    if again.engine != place.body.engine:
        told["reason"], standing = "engine", "not-replayable"
        told["detail"] = (
            f"Recorded with {_named(place.body.engine)}, judged with {_named(again.engine)}."
        )
        return _judged(place, standing=standing, pointer=again.pointer, **told)
    return _judged(place, standing="diverges", pointer=again.pointer, **told)


def _judged(place: Place, **told: Any) -> Judged:
    body = place.body
    return Judged(
        decision_id=body.decision_id,
        run_id=place.run_id,
        seq=place.seq,
        recorded_at=place.recorded_at,
        tool=body.tool,
        recorded=Said(
            body.verdict,
            body.enforced,
            tuple(word.rule for word in body.rules),
            body.policy_digest,
        ),
        **told,
    )


def _said(decision: Decision) -> Said:
    rules = tuple(reason.rule for reason in decision.reasons)
    return Said(decision.verdict, decision.enforced, rules, decision.policy_digest)


def _other_than_named(was: bytes, now: bytes) -> str | None:
    then, again = _objects.decode(was), _objects.decode(now)
    then.pop(NAMED, None)
    again.pop(NAMED, None)
    return first_difference(then, again)


def _named(engine: EngineInfo) -> str:
    return f"{engine.name} {engine.version} ({engine.capabilities[:12]})"
