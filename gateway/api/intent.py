"""The Intent Guard's calibration: report, preview, proposal, labels, and what waits for review."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.calibrating import curve, history, points, proposal
from gateway.calibrating import report as reports
from gateway.calibrating.current import (
    Current,
    block_after,
    block_switched,
    block_with_shadow,
    current,
)
from gateway.calibrating.curve import Preview
from gateway.calibrating.history import DECISIONS_MAX, History
from gateway.calibrating.levels import level, leveled
from gateway.calibrating.platt import Platt
from gateway.calibrating.points import Point
from gateway.calibrating.proposal import Proposal
from gateway.calibrating.shadow import Trial, trial
from gateway.domain.instants import rfc3339
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


class PreviewAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """A threshold to try on history; without one, the threshold that keeps the budget."""

    environment: Word | UnsetType = UNSET
    side_effect: SideEffect = "*"
    threshold: Threshold | None = None
    budget: Budget = 0.05
    limit: Newest = LIMIT


class CalibrateAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """The budget of false positives for a class of side effects."""

    environment: Word | UnsetType = UNSET
    side_effect: SideEffect = "*"
    budget: Budget = 0.05
    limit: Newest = LIMIT


class Considered(Struct, frozen=True):
    """What of history counted: `scored` decisions, all of one version of the guard."""

    environment: str
    decisions: int
    scored: int
    unscored: int
    other_versions: int
    erased: int
    version: str | None


class IntentReport(Struct, frozen=True):
    """The report, what counts now, and how what is on trial does beside it."""

    considered: Considered
    thresholds: dict[str, float]
    calibration: Platt
    report: reports.Report
    shadow: Trial | None = None


class PreviewReply(Struct, frozen=True):
    """What the threshold would have done; null where none keeps the budget, and `reason` why."""

    considered: Considered
    side_effect: str
    preview: Preview | None
    basis: str | None
    reason: str


class CalibrateReply(Struct, frozen=True):
    """The proposal, what it would have done, and `block`, which belongs in policy.yaml at
    `environments.<environment>.projects.<project_id>`. Nothing changes before it stands there.

    `shadow_block` puts the same on trial instead: it judges nothing, and is counted beside what
    does. It is made from what the policy version `policy_digest` says now.
    """

    considered: Considered
    project_id: str
    policy_digest: str | None
    side_effect: str
    proposal: Proposal
    preview: Preview | None
    preview_now: Preview | None
    block: dict[str, Any]
    changes: bool
    shadow_block: dict[str, Any] = {}


class SwitchAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """Which history counts."""

    environment: Word | UnsetType = UNSET
    limit: Newest = LIMIT


class SwitchReply(Struct, frozen=True):
    """How what is on trial did, null where nothing is, and the block that makes it count, which is
    given where nothing stands against it."""

    considered: Considered
    project_id: str
    policy_digest: str | None
    shadow: Trial | None
    block: dict[str, Any] | None


class LabelRow(Struct, frozen=True):
    """A labeller's latest word on a decision."""

    decision_id: str
    at: str
    tool: str
    score: float
    labeller: str
    label: str
    labelled_at: str
    by: str | None
    comment: str | None


class LabelList(Struct, frozen=True):
    """Labels, those of the newest decisions first."""

    considered: Considered
    labels: list[LabelRow]


class ReviewRow(Struct, frozen=True):
    """A decision that chance chose, for a person to look at."""

    decision_id: str
    at: str
    tool: str
    side_effects: tuple[str, ...]
    score: float


class ReviewList(Struct, frozen=True):
    """Calls that were let through, chosen by chance, and that nobody has labelled; newest first."""

    considered: Considered
    share: float
    reviews: list[ReviewRow]


class _Read(Struct, frozen=True):
    """History as one request sees it."""

    considered: Considered
    points: tuple[Point, ...]
    now: Current
    policy_digest: str | None


async def _report(parts: Parts, call: Call) -> Answer:
    read = await _history(parts, call.caller, call.query)
    made = await asyncio.to_thread(reports.report, read.points, read.now.calibration)
    _note_gauges(parts, made)
    now = read.now
    beside = None if now.shadow is None else trial(read.points, now, now.shadow)
    return Answer(IntentReport(read.considered, now.thresholds, now.calibration, made, beside))


async def _preview(parts: Parts, call: Call) -> Answer:
    ask: PreviewAsk = call.body
    read = await _history(parts, call.caller, ask)
    of_class = curve.of_effect(read.points, ask.side_effect, read.now.thresholds)
    threshold, basis, reason = ask.threshold, None, ""
    if threshold is None:
        same = leveled(of_class, read.now.calibration)
        chosen = await asyncio.to_thread(proposal.choose, same, ask.budget)
        basis, reason = chosen.basis, chosen.reason
        threshold = None if chosen.base is None else read.now.calibration.apply(chosen.base)
    shown = None if threshold is None else _shown(of_class, threshold, read.now.calibration)
    return Answer(PreviewReply(read.considered, ask.side_effect, shown, basis, reason))


async def _calibrate(parts: Parts, call: Call) -> Answer:
    ask: CalibrateAsk = call.body
    read = await _history(parts, call.caller, ask)
    at = rfc3339(parts.ambient.now_ns())
    return Answer(await asyncio.to_thread(_proposed, call.caller.project_id, ask, read, at))


async def _switch(parts: Parts, call: Call) -> Answer:
    ask: SwitchAsk = call.body
    read = await _history(parts, call.caller, ask)
    now, block = read.now, None
    beside = None if now.shadow is None else trial(read.points, now, now.shadow)
    if now.shadow is not None and beside is not None and beside.ready:
        block = block_switched(now, now.shadow)
    project_id = call.caller.project_id
    return Answer(SwitchReply(read.considered, project_id, read.policy_digest, beside, block))


def _proposed(project_id: str, ask: CalibrateAsk, read: _Read, at: str) -> CalibrateReply:
    now = read.now
    of_class = curve.of_effect(read.points, ask.side_effect, now.thresholds)
    base = now.base(ask.side_effect)
    found = proposal.propose(
        of_class, read.points, ask.budget, threshold=base, calibration=now.calibration
    )
    block = block_after(now, found, ask.side_effect)
    return CalibrateReply(
        considered=read.considered,
        project_id=project_id,
        policy_digest=read.policy_digest,
        side_effect=ask.side_effect,
        proposal=found,
        preview=None
        if found.threshold is None
        else _shown(of_class, found.threshold, found.calibration),
        preview_now=None
        if base is None
        else _shown(of_class, now.calibration.apply(base), now.calibration),
        block=block,
        shadow_block=block_with_shadow(now, block, at, ask.budget),
        changes=found.threshold is not None or found.calibration != now.calibration,
    )


async def _list_labels(parts: Parts, call: Call) -> Answer:
    read = await _history(parts, call.caller, call.query)
    rows = [
        LabelRow(
            decision_id=point.decision_id,
            at=point.at,
            tool=point.tool,
            score=level(point, read.now.calibration),
            labeller=vote.labeller,
            label=vote.label,
            labelled_at=vote.at,
            by=vote.by,
            comment=vote.comment,
        )
        for point in read.points
        for vote in point.votes
    ]
    return Answer(LabelList(read.considered, rows))


async def _list_reviews(parts: Parts, call: Call) -> Answer:
    read = await _history(parts, call.caller, call.query)
    rows = [
        ReviewRow(p.decision_id, p.at, p.tool, p.side_effects, level(p, read.now.calibration))
        for p in read.points
        if not p.stopped and not p.votes and points.for_review(p.decision_id)
    ]
    return Answer(ReviewList(read.considered, points.REVIEW_SHARE, rows))


async def _history(
    parts: Parts, caller: Caller, ask: HistoryQuery | PreviewAsk | CalibrateAsk | SwitchAsk
) -> _Read:
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
    return _Read(_considered(environment, found), found.points, now, digest)


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


def _shown(found: list[Point], threshold: float, calibration: Platt) -> Preview:
    return curve.preview(found, threshold, calibration)


def _note_gauges(parts: Parts, made: reports.Report) -> None:
    """The last report's figures. Whose they are no label says: projects are not bounded."""
    gauge = parts.metrics.intent_psi
    for name, value in made.drift.psi.items():
        if value is not None:
            gauge.labels(name).set(value)
    parts.metrics.intent_labels.labels("aligned").set(made.stage.aligned)
    parts.metrics.intent_labels.labels("misaligned").set(made.stage.misaligned)
    if made.calibration_error is not None:
        parts.metrics.intent_calibration_error.set(made.calibration_error)


def _endpoint(answer: Any, **said: Any) -> Endpoint:
    return Endpoint(answer, Operation(scope="read", **said))


INTENT_REPORT: Final = _endpoint(
    _report,
    id="getIntentReport",
    method="GET",
    path="/v1/intent/report",
    summary="What history says about the Intent Guard",
    description=(
        "For each side effect what every threshold would have caught of the newest decisions; how "
        "many labels there are and what they allow; drift of the newer half of these decisions "
        "against the older, and the calibration error, with alarms."
    ),
    query=HistoryQuery,
    reply=IntentReport,
)
INTENT_PREVIEW: Final = _endpoint(
    _preview,
    id="previewIntent",
    method="POST",
    path="/v1/intent/preview",
    summary="Try a threshold on history",
    description=(
        "How many of the newest decisions a threshold would have caught, and how many of these "
        "people marked fine. Without a threshold it is the one that keeps a budget of false "
        "positives."
    ),
    body=PreviewAsk,
    reply=PreviewReply,
)
INTENT_CALIBRATE: Final = _endpoint(
    _calibrate,
    id="calibrateIntent",
    method="POST",
    path="/v1/intent/calibrate",
    summary="Propose a threshold and a calibration",
    description=(
        "A threshold that keeps a budget of false positives on the project's own history, and a "
        "calibration as far as its labels allow, both tried on the later labels. It changes "
        "nothing: the reply holds the block of policy.yaml that would."
    ),
    body=CalibrateAsk,
    reply=CalibrateReply,
)
INTENT_SWITCH: Final = _endpoint(
    _switch,
    id="switchIntent",
    method="POST",
    path="/v1/intent/switch",
    summary="Propose to let what is on trial count",
    description=(
        "How the thresholds and the calibration under `shadow` in policy.yaml would have judged "
        "the decisions since they stand there, beside those that did. Where the labels of these "
        "decisions do not speak against it, the reply holds the block that lets them count. It "
        "changes nothing by itself."
    ),
    body=SwitchAsk,
    reply=SwitchReply,
)
LIST_LABELS: Final = _endpoint(
    _list_labels,
    id="listIntentLabels",
    method="GET",
    path="/v1/intent/labels",
    summary="The labels on the newest decisions",
    description="Who said what about which decision; each labeller's latest word on each.",
    query=HistoryQuery,
    reply=LabelList,
)
LIST_REVIEWS: Final = _endpoint(
    _list_reviews,
    id="listIntentReviews",
    method="GET",
    path="/v1/intent/reviews",
    summary="Decisions that wait for a label",
    description=(
        "Calls that were let through, chosen by chance from their ids. Labels of these stand for "
        "all that nobody looked at, so that calibration does not learn from what was stopped alone."
    ),
    query=HistoryQuery,
    reply=ReviewList,
)
