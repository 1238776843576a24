"""Verdicts, their order, and how stages, modes and fail modes cap them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

Verdict = Literal["allow", "warn", "modify", "require_approval", "block", "halt"]
Mode = Literal["log", "warn", "block"]
FailMode = Literal["open", "closed"]
SideEffect = Literal[
    "read", "write", "delete", "payment", "message", "access", "deploy", "exec", "network"
]

VERDICTS: Final[tuple[Verdict, ...]] = (
    "allow",
    "warn",
    "modify",
    "require_approval",
    "block",
    "halt",
)
SIDE_EFFECTS: Final[tuple[SideEffect, ...]] = (
    "read",
    "write",
    "delete",
    "payment",
    "message",
    "access",
    "deploy",
    "exec",
    "network",
)
SEVERITY: Final[dict[Verdict, int]] = {verdict: rank for rank, verdict in enumerate(VERDICTS)}
STOPPING: Final[frozenset[Verdict]] = frozenset({"require_approval", "block", "halt"})

# A call that does no more than this is given its reservations back when its outcome stays unknown;
# what any other one may have done counts as spent.
RELEASED: Final[frozenset[str]] = frozenset({"read", "network"})


def most_severe(verdicts: Iterable[Verdict]) -> Verdict:
    """The most severe of `verdicts`, `allow` when there are none."""
    return max(verdicts, key=SEVERITY.__getitem__, default="allow")


def cap(verdict: Verdict, limit: Mode) -> Verdict:
    """What is left of a verdict under a stage or a mode: `log` allows, `warn` warns at most."""
    if limit == "block":
        return verdict
    if limit == "warn":
        return verdict if SEVERITY[verdict] <= SEVERITY["warn"] else "warn"
    return "allow"
