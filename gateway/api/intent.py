"""What the Intent Guard did with a project's calls: the report, and what a threshold would do."""

from __future__ import annotations

import asyncio
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from gateway.api.endpoint import Answer, Call
from gateway.api.intent_history import (
    LIMIT,
    Budget,
    Considered,
    HistoryQuery,
    Newest,
    SideEffect,
    Threshold,
    Word,
    endpoint,
    history_of,
)
from gateway.api.parts import Parts
from gateway.calibrating import curve, proposal
from gateway.calibrating import report as reports
from gateway.calibrating.curve import Preview
from gateway.calibrating.levels import leveled
from gateway.calibrating.platt import Platt
from gateway.calibrating.shadow import Trial, trial


class PreviewAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """A threshold to try on history; without one, the threshold that keeps the budget."""

    environment: Word | UnsetType = UNSET
    side_effect: SideEffect = "*"
    threshold: Threshold | None = None
    budget: Budget = 0.05
    limit: Newest = LIMIT


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


async def _report(parts: Parts, call: Call) -> Answer:
    read = await history_of(parts, call.caller, call.query)
    made = await asyncio.to_thread(reports.report, read.points, read.now.calibration)
    _note_gauges(parts, made)
    now = read.now
    beside = None if now.shadow is None else trial(read.points, now, now.shadow)
    return Answer(IntentReport(read.considered, now.thresholds, now.calibration, made, beside))


async def _preview(parts: Parts, call: Call) -> Answer:
    ask: PreviewAsk = call.body
    read = await history_of(parts, call.caller, ask)
    of_class = curve.of_effect(read.points, ask.side_effect, read.now.thresholds)
    threshold, basis, reason = ask.threshold, None, ""
    if threshold is None:
        same = leveled(of_class, read.now.calibration)
        chosen = await asyncio.to_thread(proposal.choose, same, ask.budget)
        basis, reason = chosen.basis, chosen.reason
        threshold = None if chosen.base is None else read.now.calibration.apply(chosen.base)
    shown = None if threshold is None else curve.preview(of_class, threshold, read.now.calibration)
    return Answer(PreviewReply(read.considered, ask.side_effect, shown, basis, reason))


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


INTENT_REPORT: Final = endpoint(
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


INTENT_PREVIEW: Final = endpoint(
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
