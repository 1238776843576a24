"""What people say about decisions: labels, which calibration learns from."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.domain import canonical
from gateway.domain.events import Draft
from gateway.domain.instants import rfc3339
from gateway.domain.reports import FeedbackBody, FeedbackReply, FeedbackReport
from gateway.errors import Forbidden

_sorted: Final = msgspec.json.Encoder(order="sorted")


async def _give_feedback(parts: Parts, call: Call) -> Answer:
    report: FeedbackReport = call.body
    caller, decision_id = call.caller, call.path["decision_id"]
    if caller.agent_id is not None:
        # It would be the judge in its own cause.
        raise Forbidden(detail="A key that is bound to an agent labels nothing.")
    now = rfc3339(parts.ambient.now_ns())
    words = {"comment": report.comment, "by": report.by}
    content = {name: text for name, text in words.items() if text is not None}
    draft = Draft(
        id=parts.ambient.new_id("evt"),
        type="feedback",
        occurred_at=now,
        recorded_at=now,
        actor="person",
        body=canonical.encode(FeedbackBody(decision_id, report.label, caller.key_id)),
        content={"observation": _sorted.encode(content)} if content else {},
    )
    run_id, seq = await parts.reporter.report_of_decision(caller, decision_id, draft)
    return Answer(FeedbackReply(decision_id, run_id, report.label, caller.key_id, seq))


GIVE_FEEDBACK: Final = Endpoint(
    _give_feedback,
    Operation(
        id="giveFeedback",
        method="POST",
        path="/v1/decisions/{decision_id}/feedback",
        scope="check",
        summary="Label a decision",
        description=(
            "A person's word on whether the call was what was asked for. It is recorded in the "
            "decision's run under the key's id, and calibration learns from it; of a key's labels "
            "on one decision the latest counts. Keys that are bound to an agent label nothing."
        ),
        body=FeedbackReport,
        reply=FeedbackReply,
        problems=(
            "decision_not_found",
            "run_environment_mismatch",
            "run_contended",
            "decision_not_ready",
            "journal_unavailable",
        ),
    ),
)
