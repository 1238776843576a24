"""A run step by step: what had come together by each frame, what changed, and where it broke."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import Limit, named_run, run_missing
from gateway.replay.breaking import BROKEN
from gateway.replay.record.manifest import (
    ASKED_MAX,
    SHOWN,
    UNASKED_MAX,
    Manifest,
    captured,
)
from gateway.replay.stepping import FRAMES_MAX, steps_of
from gateway.replay.steps import Step


class StepsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The steps behind the frame of seq `after`."""

    after: Annotated[
        int,
        Meta(ge=0, lt=FRAMES_MAX, description="The seq to go on behind, among the first frames."),
    ] = 0
    limit: Limit = 50
    capture: (
        Annotated[
            bool,
            Meta(
                description=(
                    "Whether to tell, too, what was captured of the run, which is read whole for "
                    "it. By default with the first page."
                )
            ),
        ]
        | UnsetType
    ) = UNSET


class StepsPage(Struct, frozen=True):
    """Steps in order, each beside the frame of its seq. Go on with `after=next_after`.

    `opens_on` is the seq of the step that broke, of a run that did not go well; null otherwise.
    `capture` is null on pages behind the first one unless asked for. Where nobody asked, the first
    2,000 frames are looked at.
    """

    run_id: str
    opens_on: int | None
    steps: list[Step]
    has_more: bool
    next_after: int | None
    capture: Manifest | None = None


async def _list_steps(parts: Parts, call: Call) -> Answer:
    query: StepsQuery = call.query
    project_id, run_id = call.caller.project_id, named_run(call)
    headers = await freshness.of_run(parts, project_id, run_id)
    row = await parts.ledger.run(project_id, run_id)
    if row is None:
        raise run_missing(headers)
    secret = parts.keyring.run_secret
    page = await steps_of(parts.ledger, secret, project_id, run_id, query.after, query.limit)
    opens_on = page.broken if row["status"] in BROKEN else None
    following = page.steps[-1].seq if page.has_more and page.steps else None
    seen = None
    unasked = isinstance(query.capture, UnsetType)
    if query.after == 0 if unasked else query.capture:
        most = UNASKED_MAX if unasked else ASKED_MAX
        found = await captured(parts.ledger, secret, project_id, [run_id], most)
        seen = found.beside(SHOWN)
    return Answer(StepsPage(run_id, opens_on, page.steps, page.has_more, following, seen), headers)


LIST_STEPS: Final = Endpoint(
    _list_steps,
    Operation(
        id="listSteps",
        method="GET",
        path="/v1/runs/{run_id}/steps",
        scope="read",
        summary="A run, step by step",
        description=(
            "Beside each frame of the run: the state that had come together by then, what the "
            "frame changed in it, and of a decision what had been asked, planned and seen since "
            "the decision before. A run that failed opens on the step that broke."
        ),
        query=StepsQuery,
        reply=StepsPage,
        problems=("run_not_found",),
    ),
)
