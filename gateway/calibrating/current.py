"""What counts now for a project in an environment, and a proposal as a change of policy.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway.calibrating.platt import IDENTITY, Platt
from gateway.calibrating.proposal import Proposal
from gateway.policies import manifest
from gateway.policies.source import MANIFEST

SCORE = "score"
BUDGET = 0.05


class Shadow(Struct, frozen=True):
    """Thresholds and a calibration on trial: they judge nothing, and are counted `since` then."""

    since: str
    thresholds: dict[str, float] = {}
    calibration: Platt = IDENTITY
    labels: int = 0
    budget: float = BUDGET


class Current(Struct, frozen=True):
    """The thresholds by side effect or `*`, the project's own over the environment's, and the
    project's calibration, of the score and of single heads, each with how many labels it was
    learnt from; and what is on trial beside them."""

    thresholds: dict[str, float] = {}
    calibration: Platt = IDENTITY
    heads: dict[str, Platt] = {}
    labels: dict[str, int] = {}
    shadow: Shadow | None = None

    def base(self, side_effect: str) -> float | None:
        """The threshold of a class, on the score before calibration."""
        found = self.thresholds.get(side_effect, self.thresholds.get("*"))
        return None if found is None else self.calibration.undo(found)


def current(files: Mapping[str, str] | None, environment: str, project_id: str) -> Current:
    """What a policy version says; nothing of its own where it does not speak of them."""
    written, _, _ = manifest.parse((files or {}).get(MANIFEST, ""))
    entry = written.environments.get(environment) if written else None
    if entry is None:
        return Current()
    own = entry.projects.get(project_id)
    if own is None:
        return Current(dict(entry.thresholds))
    scales = {name: _scale(told) for name, told in own.calibration.items()}
    score = scales.pop(SCORE, IDENTITY)
    labels = {name: told.labels for name, told in own.calibration.items()}
    thresholds = {**entry.thresholds, **own.thresholds}
    return Current(thresholds, score, scales, labels, _shadow(own.shadow))


def _shadow(told: manifest.ShadowEntry | None) -> Shadow | None:
    if told is None:
        return None
    score = told.calibration.get(SCORE)
    if score is None:
        return Shadow(told.since, dict(told.thresholds), budget=told.budget)
    thresholds = dict(told.thresholds)
    return Shadow(told.since, thresholds, _scale(score), score.labels, told.budget)


def _scale(told: manifest.CalibrationEntry) -> Platt:
    return Platt(told.slope, told.intercept, told.points)


def block_after(now: Current, proposal: Proposal, side_effect: str) -> dict[str, Any]:
    """The project's block of policy.yaml when the proposal is taken.

    The other thresholds move along with the calibration, so that they go on catching what they
    caught: a calibration alone changes what is shown, and not what is done. Calls that only read
    are held to heads, which it does not touch, so their threshold stays where it was.
    """
    new = proposal.calibration
    thresholds = {
        effect: value if effect == "read" else new.apply(now.calibration.undo(value))
        for effect, value in now.thresholds.items()
    }
    if "*" in now.thresholds and new != now.calibration and side_effect != "*":
        thresholds.setdefault("read", now.thresholds["*"])
    if proposal.threshold is not None:
        thresholds[side_effect] = proposal.threshold
    labels = now.labels.get(SCORE, 0) if new == now.calibration else proposal.labels
    return _block(thresholds, {SCORE: new, **now.heads}, {**now.labels, SCORE: labels})


def block_with_shadow(
    now: Current, block: dict[str, Any], since: str, budget: float = BUDGET
) -> dict[str, Any]:
    """What counts now, and beside it the block of a proposal, on trial from then on."""
    kept = _block(now.thresholds, {SCORE: now.calibration, **now.heads}, now.labels)
    return {**kept, "shadow": {"since": since, "budget": budget, **block}}


def block_switched(now: Current, shadow: Shadow) -> dict[str, Any]:
    """What was on trial counts, and nothing is on trial any more."""
    labels = {**now.labels, SCORE: shadow.labels}
    return _block(shadow.thresholds, {SCORE: shadow.calibration, **now.heads}, labels)


def _block(
    thresholds: dict[str, float], scales: dict[str, Platt], labels: dict[str, int]
) -> dict[str, Any]:
    block: dict[str, Any] = {"thresholds": dict(sorted(thresholds.items()))}
    told = {
        name: {**_written(scale), "labels": labels.get(name, 0)}
        for name, scale in scales.items()
        if scale != IDENTITY
    }
    return {**block, "calibration": told} if told else block


def _written(scale: Platt) -> dict[str, Any]:
    if scale.points:
        return {"points": [list(point) for point in scale.points]}
    return {"slope": scale.slope, "intercept": scale.intercept}
