"""Recorded decisions judged again: under their own policy a proof, under another one a trial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from gateway.api import cursor, freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.instants import Instant, as_recorded
from gateway.api.parts import Parts
from gateway.api.runs import Cursor, Word, named_run, run_missing
from gateway.domain.ruleset import Ruleset
from gateway.errors import NotFound, PolicyInvalid
from gateway.replay.record.manifest import (
    ASKED_MAX,
    UNASKED_MAX,
    Manifest,
    captured,
    of_standings,
)
from gateway.replay.standing import Judged, Standing

PAGE: Final = 100

Policy = Annotated[
    str,
    Meta(
        pattern=r"^(active|[0-9a-f]{64})$(?!\n)",
        description="A version's digest, or `active`. Without it each decision's own counts.",
    ),
]
Limit = Annotated[int, Meta(ge=1, le=PAGE, description="How many decisions at most.")]
After = Annotated[int, Meta(ge=0, lt=2**53, description="The seq to go on behind.")]
Asked = Annotated[
    bool,
    Meta(
        description=(
            "Whether to tell, too, what was captured of the runs; they are read whole for it. By "
            "default with the first page of a run."
        )
    ),
]


class RejudgeAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """The policy to judge under."""

    policy: Policy | UnsetType = UNSET
    capture: Asked = False


class RejudgeRunAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """The policy to judge under, and where in the run to go on."""

    policy: Policy | UnsetType = UNSET
    after: After = 0
    limit: Limit = PAGE
    capture: Asked | UnsetType = UNSET


class RejudgeRangeAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """The policy to judge under, and the decisions of which time: from `since`, before `until`."""

    policy: Policy | UnsetType = UNSET
    environment: Word | UnsetType = UNSET
    since: Instant | UnsetType = UNSET
    until: Instant | UnsetType = UNSET
    cursor: Cursor | UnsetType = UNSET
    limit: Limit = PAGE
    capture: Asked = False


class RejudgedDecision(Judged, frozen=True):
    """A decision judged again; `capture`, where it was asked for, is of the run it is from."""

    capture: Manifest | None = None


class RejudgedRun(Struct, frozen=True):
    """A page of a run's decisions, in order. `counts` says how many of the page stand how.

    `capture` is of the whole run, and null on pages behind the first one unless asked for. Where
    nobody asked, the first 2,000 frames are looked at.
    """

    run_id: str
    counts: dict[Standing, int]
    judged: list[Judged]
    has_more: bool
    next_after: int | None
    capture: Manifest | None = None


class RejudgedRange(Struct, frozen=True):
    """A page of decisions, newest first. `counts` says how many of the page stand how.

    `capture`, where it was asked for, sums up what was captured of the runs on this page.
    """

    counts: dict[Standing, int]
    judged: list[Judged]
    has_more: bool
    next_cursor: str | None
    capture: Manifest | None = None


async def _decision(parts: Parts, call: Call) -> Answer:
    ask: RejudgeAsk = call.body
    under = await _policy(parts, ask.policy)
    project_id, decision_id = call.caller.project_id, call.path["decision_id"]

    async def find() -> Judged | None:
        return await parts.rejudging.decision(project_id, decision_id, under)

    found = await freshness.soon(parts, decision_id, find)
    if found is None:
        raise NotFound("decision_not_found", "No decision of this id in this project.")
    seen = await _capture(parts, project_id, [found], more=False) if ask.capture else None
    told: dict[str, Any] = asdict(found)
    return Answer(RejudgedDecision(**told, capture=seen))


async def _run(parts: Parts, call: Call) -> Answer:
    ask: RejudgeRunAsk = call.body
    under = await _policy(parts, ask.policy)
    project_id, run_id = call.caller.project_id, named_run(call)
    headers = await freshness.of_run(parts, project_id, run_id)
    if await parts.ledger.run(project_id, run_id) is None:
        raise run_missing(headers)
    page = await parts.rejudging.of_run(project_id, run_id, ask.after, ask.limit, under)
    counts = _counts(page.judged)
    more = page.after is not None
    unasked = isinstance(ask.capture, UnsetType)
    seen = None
    if ask.after == 0 if unasked else ask.capture:
        most = UNASKED_MAX if unasked else ASKED_MAX
        partly = more or ask.after > 0
        seen = await _capture(parts, project_id, page.judged, run_id, more=partly, most=most)
    return Answer(RejudgedRun(run_id, counts, page.judged, more, page.after, seen), headers)


async def _range(parts: Parts, call: Call) -> Answer:
    ask: RejudgeRangeAsk = call.body
    under = await _policy(parts, ask.policy)
    project_id = call.caller.project_id
    environment = ask.environment or call.caller.environment
    since, until = as_recorded(ask.since), as_recorded(ask.until)
    listed = ["rejudge", environment, since, until, ask.policy or None]
    before = cursor.read(parts.cursor_key, project_id, listed, ask.cursor or None)
    page = await parts.rejudging.of_range(
        project_id, environment, since, until, before, ask.limit, under
    )
    place = page.cursor
    following = cursor.write(parts.cursor_key, project_id, listed, place) if place else None
    counts, more = _counts(page.judged), following is not None
    partly = more or before is not None
    seen = await _capture(parts, project_id, page.judged, more=partly) if ask.capture else None
    return Answer(RejudgedRange(counts, page.judged, more, following, seen))


async def _policy(parts: Parts, policy: str | UnsetType) -> Ruleset | None:
    """The policy that is asked for, None where each decision's own counts."""
    if isinstance(policy, UnsetType):
        return None
    missing = NotFound("policy_not_found", "There is no policy version of that digest.")
    if policy == "active":
        active = parts.rulebook.current()
        if active is None:
            raise missing
        return active
    try:
        return await parts.rulebook.ruleset(policy)
    except PolicyInvalid as error:
        raise missing from error


async def _capture(
    parts: Parts,
    project_id: str,
    judged: Sequence[Judged],
    *run_ids: str,
    more: bool,
    most: int = ASKED_MAX,
) -> Manifest:
    """What was captured of these runs, and of those that the decisions are from; there are `more`
    decisions."""
    of_runs = (*run_ids, *(each.run_id for each in judged))
    found = await captured(parts.ledger, parts.keyring.run_secret, project_id, of_runs, most)
    return found.beside(of_standings(_counts(judged), more))


def _counts(judged: Sequence[Judged]) -> dict[Standing, int]:
    return dict(Counter(each.standing for each in judged))


REJUDGE_DECISION: Final = Endpoint(
    _decision,
    Operation(
        id="rejudgeDecision",
        method="POST",
        path="/v1/decisions/{decision_id}/re-judge",
        scope="read",
        summary="A decision, judged again",
        description=(
            "The recorded frame is put to the rules again. Under its own policy the decision must "
            "come out the same to the byte; where it does not, `pointer` says where. Nothing is "
            "let through, stopped or recorded."
        ),
        body=RejudgeAsk,
        reply=RejudgedDecision,
        problems=("decision_not_found", "policy_not_found"),
    ),
)

REJUDGE_RUN: Final = Endpoint(
    _run,
    Operation(
        id="rejudgeRun",
        method="POST",
        path="/v1/runs/{run_id}/re-judge",
        scope="read",
        summary="A run, judged again",
        description=(
            "Each decision of the run, in order, under its own policy or another one. `capture` "
            "says in a sentence what no such verdict can speak of, since nobody observed it."
        ),
        body=RejudgeRunAsk,
        reply=RejudgedRun,
        problems=("run_not_found", "policy_not_found"),
    ),
)

REJUDGE_RANGE: Final = Endpoint(
    _range,
    Operation(
        id="rejudgeRange",
        method="POST",
        path="/v1/re-judge",
        scope="read",
        summary="The decisions of a time range, judged again",
        description=(
            "The newest first, of one environment of the project, the key's own by default."
        ),
        body=RejudgeRangeAsk,
        reply=RejudgedRange,
        problems=("bad_cursor", "policy_not_found"),
    ),
)
