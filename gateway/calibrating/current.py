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
    project's calibration."""

    thresholds: dict[str, float] = {}
    calibration: Platt = IDENTITY

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
    told = own.calibration.get(SCORE)
    platt = IDENTITY if told is None else Platt(told.slope, told.intercept)
    return Current({**entry.thresholds, **own.thresholds}, platt)


def block_after(now: Current, proposal: Proposal, side_effect: str) -> dict[str, Any]:
    """The project's block of policy.yaml when the proposal is taken.

    The other thresholds move along with the calibration, so that they go on catching what they
    caught: a calibration alone changes what is shown, and not what is done.
    """
    new = proposal.calibration
    thresholds = {
        effect: new.apply(now.calibration.undo(value)) for effect, value in now.thresholds.items()
    }
    if proposal.threshold is not None:
        thresholds[side_effect] = proposal.threshold
    block: dict[str, Any] = {"thresholds": dict(sorted(thresholds.items()))}
    if new != IDENTITY:
        told = {"slope": new.slope, "intercept": new.intercept, "labels": proposal.stage.labels}
        block["calibration"] = {SCORE: told}
    return block
