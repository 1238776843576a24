"""Which agent touched a file, which call made an artifact, and what came out of a turn."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from gateway.api import cursor
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import Cursor, Limit
from gateway.domain.facts import ArtifactRow
from gateway.domain.run_ids import run_id_of
from gateway.storage.wanted import ArtifactFilter

Exactly = Annotated[
    str, Meta(min_length=1, max_length=256, description="Artifacts with exactly this.")
]
Accessed = Literal["created", "written", "read", "deleted", "passed"]


class ArtifactsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Filters, all of which an artifact must meet."""

    path: Exactly | UnsetType = UNSET
    digest: Exactly | UnsetType = UNSET
    run_id: Exactly | UnsetType = UNSET
    turn_id: Exactly | UnsetType = UNSET
    action_id: Exactly | UnsetType = UNSET
    agent_id: Exactly | UnsetType = UNSET
    access: Accessed | UnsetType = UNSET
    limit: Limit = 50
    cursor: Cursor | UnsetType = UNSET


class ArtifactPage(Struct, frozen=True):
    """Artifacts, newest first. `next_cursor` is null on the last page."""

    artifacts: list[ArtifactRow]
    has_more: bool
    next_cursor: str | None


async def _list_artifacts(parts: Parts, call: Call) -> Answer:
    query: ArtifactsQuery = call.query
    caller = call.caller
    wanted = wanted_artifacts(query, caller.project_id, caller.environment)
    listed = ["artifacts", structs.asdict(wanted)]
    before = cursor.read(parts.cursor_key, caller.project_id, listed, query.cursor or None)
    found = await parts.ledger.artifacts(caller.project_id, wanted, before, query.limit + 1)
    rows = list(found[: query.limit])
    more = len(found) > len(rows)
    place = rows[-1].cursor if more else None
    following = cursor.write(parts.cursor_key, caller.project_id, listed, place) if place else None
    return Answer(ArtifactPage(rows, more, following))


def wanted_artifacts(query: ArtifactsQuery, project_id: str, environment: str) -> ArtifactFilter:
    """What the ledger is asked for."""
    run_id, digest = query.run_id or None, query.digest or None
    return ArtifactFilter(
        path=query.path or None,
        digest=digest.removeprefix("sha256:").lower() if digest else None,
        run_id=run_id_of(project_id, environment, run_id) if run_id else None,
        turn_id=query.turn_id or None,
        action_id=query.action_id or None,
        agent_id=query.agent_id or None,
        access=query.access or None,
    )


LIST_ARTIFACTS: Final = Endpoint(
    _list_artifacts,
    Operation(
        id="listArtifacts",
        method="GET",
        path="/v1/artifacts",
        scope="read",
        summary="What runs made or touched, newest first",
        description=(
            "Each with the run, the call, the turn and the agent that it belongs to: by `path` or "
            "`digest`, who touched a file and which call made it; by `run_id` and `turn_id`, "
            "everything that came out of a turn."
        ),
        query=ArtifactsQuery,
        reply=ArtifactPage,
        problems=("bad_cursor",),
    ),
)
