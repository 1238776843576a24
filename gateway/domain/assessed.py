"""What the Intent Guard said of a frame, as the judgement sees it: an input like any other.

An assessor that fails is one too. It is named in the frame's coverage, or, when it was asked again
about arguments that a rule had changed, in that round.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.domain.frame import Frame
from gateway.domain.rule_results import Round

# In `Frame.coverage` and `Decision.degraded`: there was evidence, and no answer about it.
UNASSESSED: Final = "assessment"


class Assessed(Struct, frozen=True):
    """`assessment` is null without evidence, and when the assessor `failed`."""

    assessment: dict[str, Any] | None = None
    failed: bool = False


NOTHING_TO_ASSESS: Final = Assessed()


def with_assessment(frame: Frame, assessed: Assessed) -> Frame:
    """The frame with this answer in the place of any other."""
    coverage = [part for part in frame.coverage if part != UNASSESSED]
    if assessed.failed:
        coverage.append(UNASSESSED)
    return replace(frame, assessment=assessed.assessment, coverage=coverage)


def of_round(round_: Round) -> Assessed:
    return Assessed(round_.assessment, round_.unassessed)


def last_assessment(
    first: dict[str, Any] | None, rounds: tuple[Round, ...]
) -> dict[str, Any] | None:
    """What was said of the arguments that would run; `first` is the frame's own."""
    return rounds[-1].assessment if len(rounds) > 1 else first
