"""Labels that people gave, and what waits for review."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from gateway.api.endpoint import Answer, Call
from gateway.api.intent_history import Considered, HistoryQuery, endpoint, history_of
from gateway.api.parts import Parts
from gateway.calibrating import points
from gateway.calibrating.levels import level


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


async def _list_labels(parts: Parts, call: Call) -> Answer:
    read = await history_of(parts, call.caller, call.query)
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
    read = await history_of(parts, call.caller, call.query)
    rows = [
        ReviewRow(p.decision_id, p.at, p.tool, p.side_effects, level(p, read.now.calibration))
        for p in read.points
        if not p.stopped and not p.votes and points.for_review(p.decision_id)
    ]
    return Answer(ReviewList(read.considered, points.REVIEW_SHARE, rows))


LIST_LABELS: Final = endpoint(
    _list_labels,
    id="listIntentLabels",
    method="GET",
    path="/v1/intent/labels",
    summary="The labels on the newest decisions",
    description="Who said what about which decision; each labeller's latest word on each.",
    query=HistoryQuery,
    reply=LabelList,
)


LIST_REVIEWS: Final = endpoint(
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
