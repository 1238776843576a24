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


class Current(Struct, frozen=True):
    """The thresholds by side effect or `*`, the project's own over the environment's, and the
    project's calibration, of the score and of single heads, each with how many labels it was
    learnt from."""

    thresholds: dict[str, float] = {}
    calibration: Platt = IDENTITY
    heads: dict[str, Platt] = {}
    labels: dict[str, int] = {}

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
    scales = {name: Platt(told.slope, told.intercept) for name, told in own.calibration.items()}
    score = scales.pop(SCORE, IDENTITY)
    labels = {name: told.labels for name, told in own.calibration.items()}
    return Current({**entry.thresholds, **own.thresholds}, score, scales, labels)


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
    block: dict[str, Any] = {"thresholds": dict(sorted(thresholds.items()))}
    labels = {**now.labels, **({} if new == now.calibration else {SCORE: proposal.labels})}
    scales = {name: told for name, told in ((SCORE, new), *now.heads.items()) if told != IDENTITY}
    if scales:
        block["calibration"] = {
            name: {"slope": told.slope, "intercept": told.intercept, "labels": labels.get(name, 0)}
            for name, told in scales.items()
        }
    return block
