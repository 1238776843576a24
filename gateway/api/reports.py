"""What callers report: results of calls, and batches of observations."""

from __future__ import annotations

from typing import Final

from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.checking.names import canonical_name, check_observed_names
from gateway.domain.check import RunRef
from gateway.domain.reports import EventBatch, EventsReply, ResultReply, ResultReport


async def _report_result(parts: Parts, call: Call) -> Answer:
    report: ResultReport = call.body
    return Answer(await parts.reporter.report_result(call.caller, call.path["decision_id"], report))


async def _report_events(parts: Parts, call: Call) -> Answer:
    batch: EventBatch = call.body
    check_run_names(batch.run, "/run")
    check_observed_names(batch.events, "/events")
    return Answer(await parts.reporter.report_events(call.caller, batch))


def check_run_names(run: RunRef, pointer: str) -> None:
    """Refuse ids of a run that could pass for others: BadRequest `bad_name`."""
    for field in ("id", "agent_id", "turn_id", "parent_run_id", "user_id"):
        canonical_name(getattr(run, field) or "", f"{pointer}/{field}")


REPORT_RESULT: Final = Endpoint(
    _report_result,
    Operation(
        id="reportResult",
        method="POST",
        path="/v1/decisions/{decision_id}/result",
        scope="check",
        summary="Report what became of a call",
        description=(
            "The outcome of a call that was let through: it settles what the call had reserved of "
            "budgets. The same report may be sent again; a different one, or one for a call that "
            "was not let through, is refused, and recorded."
        ),
        body=ResultReport,
        reply=ResultReply,
        problems=(
            "decision_not_found",
            "result_conflict",
            "result_not_expected",
            "decision_superseded",
            "run_environment_mismatch",
            "run_of_another_agent",
            "run_contended",
            "decision_not_ready",
            "journal_unavailable",
        ),
    ),
)

REPORT_EVENTS: Final = Endpoint(
    _report_events,
    Operation(
        id="reportEvents",
        method="POST",
        path="/v1/events",
        scope="check",
        summary="Report what an agent saw and did",
        description=(
            "Observations of one run, in order: requests, plans, retrieved context, model calls, "
            "artifacts and the like. The run begins here if it is new. All of the batch is "
            "recorded, or nothing."
        ),
        body=EventBatch,
        reply=EventsReply,
        problems=(
            "bad_name",
            "run_environment_mismatch",
            "run_identity_mismatch",
            "run_of_another_agent",
            "run_contended",
            "journal_unavailable",
        ),
    ),
)
