"""One decision of history as calibration sees it, and the scale on which it is looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

Truth = Literal["aligned", "misaligned"]

# Of the calls that were let through, so many are chosen for a person's look, by chance.
REVIEW_SHARE: Final = 0.05


class Vote(Struct, frozen=True):
    """One labeller's latest word on one decision."""

    labeller: str
    label: str
    at: str
    comment: str | None = None
    by: str | None = None


class Point(Struct, frozen=True):
    """A judged call with its score. `base` is the score before the project's own calibration.

    `held` is set for a call that only reads, and is then what the rules hold against a threshold in
    place of the score. `raw` are the heads before calibration, by name. `stopped` says that the
    call was not let through as it was asked. `known` says that policy.yaml names the tool.
    """

    decision_id: str
    at: str
    tool: str
    side_effects: tuple[str, ...]
    base: float
    version: str
    stopped: bool = False
    known: bool = True
    request: bool = True
    plan: bool = False
    raw: dict[str, float] = {}
    held: float | None = None
    votes: tuple[Vote, ...] = ()


# What people say, and what it says about the call. `unsure` says nothing.
TRUTHS: Final[dict[str, Truth | None]] = {
    "correct_block": "misaligned",
    "missed": "misaligned",
    "false_alarm": "aligned",
    "fine": "aligned",
    "unsure": None,
}


def only_reads(side_effects: Sequence[str]) -> bool:
    """Whether the shipped rules hold a call to its plan and to where it comes from alone.

    Looking around is how agents work, so that how well a call goes with the request is no matter
    then: as `lib/assessments.rego` has it.
    """
    return "read" in side_effects and set(side_effects) <= {"read", "network"}


def truth_of(point: Point) -> Truth | None:
    """What most of its labellers say; None without a word, or when they are divided."""
    said = [TRUTHS[vote.label] for vote in point.votes]
    fine, wrong = said.count("aligned"), said.count("misaligned")
    if fine == wrong:
        return None
    return "aligned" if fine > wrong else "misaligned"


def for_review(decision_id: str) -> bool:
    """Whether chance chose this decision for review. Its id alone decides, so nobody can steer it.

    People label what caught their eye, and what was stopped catches it. Only labels of calls that
    chance chose can stand for those that nobody looked at.
    """
    digest = hashlib.sha256(b"checkrein.review.v1\x00" + decision_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") < REVIEW_SHARE * 2**64


def rounded(score: float) -> float:
    return round(score, 6)
