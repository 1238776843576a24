"""Whether a stored assessment is what its version says, to the bit.

Re-judgement needs no assessor: the frame is closed, and what was said of arguments that a rule had
changed is in the record's second round. Asking the same version again is the proof of that record.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from gateway.domain import canonical
from gateway.domain.assessed import Assessed, of_round
from gateway.domain.frame import Frame
from gateway.domain.framed_action import changed_frame
from gateway.domain.judge import change_of
from gateway.domain.rule_results import Round
from gateway.domain.ruleset import Ruleset
from gateway.intent.evidence import evidence_of
from gateway.intent.port import Assessor
from gateway.judging.assessing import framed
from gateway.replay.held import HeldVersions

Finding = Literal["none", "same", "differs", "no answer", "version not held"]

# What does not depend on a policy's thresholds and calibration.
OWN: Final = ("version", "raw", "coverage", "signals")


def recorded_assessment(rounds: tuple[Round, ...], digest: str, changed: Frame) -> Assessed | None:
    """What was said of these changed arguments; None when the record is about others.

    `digest` is that of the arguments which the record's last round was about.
    """
    if len(rounds) < 2 or changed.action.arguments_digest != digest:
        return None
    return of_round(rounds[1])


async def asked_of(version: str, assessor: Assessor | None, held: HeldVersions) -> Assessor | None:
    """Who answers for a version: the assessor at hand where it is that one, else a held one."""
    if assessor is not None and assessor.version == version:
        return assessor
    return await held.of(version)


async def reassess(
    assessor: Assessor | None,
    held: HeldVersions,
    ruleset: Ruleset,
    frame: Frame,
    rounds: tuple[Round, ...],
    *,
    recorded_policy: bool,
) -> Finding:
    """Ask again about everything that was assessed for a decision.

    Under the recorded policy all of it must be the same, under another what no policy touches.
    """
    stored = [(frame, frame.assessment)]
    if len(rounds) > 1 and recorded_policy:
        arguments = change_of(frame, ruleset, rounds[0]).arguments
        if arguments is not None:
            stored.append((changed_frame(frame, ruleset, arguments), rounds[1].assessment))
    findings = [
        await _finding(assessor, held, ruleset, seen, said, recorded_policy=recorded_policy)
        for seen, said in stored
        if said is not None
    ]
    return next((each for each in findings if each != "same"), findings[0] if findings else "none")


async def _finding(
    assessor: Assessor | None,
    held: HeldVersions,
    ruleset: Ruleset,
    frame: Frame,
    said: dict[str, Any],
    *,
    recorded_policy: bool,
) -> Finding:
    asked = await asked_of(str(said.get("version")), assessor, held)
    if asked is None:
        return "version not held"
    again = await asked.assess(evidence_of(frame))
    if again is None:
        return "no answer"
    now = framed(again, ruleset, frame)
    if not recorded_policy:
        said, now = ({name: each.get(name) for name in OWN} for each in (said, now))
    return "same" if canonical.encode(said) == canonical.encode(now) else "differs"
