"""What of a project's history counts, read for one request on the Intent Guard."""

from __future__ import annotations

from typing import Annotated, Any, Final, Protocol

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.api.endpoint import Endpoint, Operation
from gateway.api.parts import Parts
from gateway.calibrating import history
from gateway.calibrating.current import (
    Current,
    current,
)
from gateway.calibrating.history import DECISIONS_MAX, History
from gateway.calibrating.points import Point
from gateway.domain.verdicts import SIDE_EFFECTS
from gateway.storage.ports import Caller

LIMIT: Final = 1_000

Word = Annotated[str, Meta(min_length=1, max_length=256, description="The key's own by default.")]
Newest = Annotated[
    int, Meta(ge=1, le=DECISIONS_MAX, description="How many of the newest decisions count.")
]
SideEffect = Annotated[
    str, Meta(pattern=r"^(\*|" + "|".join(SIDE_EFFECTS) + r")$(?!\n)", description="Or `*`.")
]
Budget = Annotated[
    float, Meta(ge=0.001, le=0.5, description="The share of fine calls that may be caught.")
]
Threshold = Annotated[float, Meta(ge=0, le=1)]


class HistoryQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which history counts."""

    environment: Word | UnsetType = UNSET
    limit: Newest = LIMIT


class Asked(Protocol):
    """Whose history is asked for, and how much of it."""

    @property
    def environment(self) -> Word | UnsetType: ...

    @property
    def limit(self) -> int: ...


class Considered(Struct, frozen=True):
    """What of history counted: `scored` decisions, all of one version of the guard."""

    environment: str
    decisions: int
    scored: int
    unscored: int
    other_versions: int
    erased: int
    version: str | None


class Read(Struct, frozen=True):
    """History as one request sees it."""

    considered: Considered
    points: tuple[Point, ...]
    now: Current
    policy_digest: str | None


async def history_of(parts: Parts, caller: Caller, ask: Asked) -> Read:
    """The history of the caller's project alone, and what its active policy says now."""
    environment = ask.environment or caller.environment
    applied: dict[str, Current] = {}

    async def of_version(digest: str) -> Current:
        if digest not in applied:
            files = await parts.control.version_files(digest)
            applied[digest] = current(files, environment, caller.project_id)
        return applied[digest]

    ruleset = parts.rulebook.current()
    now = Current() if ruleset is None else await of_version(ruleset.digest)
    found = await history.read(
        parts.ledger,
        parts.keyring.run_secret,
        caller.project_id,
        environment,
        limit=ask.limit,
        known=lambda tool: ruleset is not None and ruleset.tool(tool) is not None,
        now=now,
        said_by=of_version,
    )
    digest = None if ruleset is None else ruleset.digest
    return Read(_considered(environment, found), found.points, now, digest)


def _considered(environment: str, found: History) -> Considered:
    return Considered(
        environment=environment,
        decisions=found.decisions,
        scored=len(found.points),
        unscored=found.unscored,
        other_versions=found.other_versions,
        erased=found.erased,
        version=found.version,
    )


def endpoint(answer: Any, **said: Any) -> Endpoint:
    return Endpoint(answer, Operation(scope="read", **said))
