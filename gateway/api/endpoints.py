"""Every endpoint but the hot one, and the document that describes them all."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import msgspec

from gateway.api import (
    agents,
    approvals,
    artifacts,
    check_action,
    compare,
    decisions,
    determinism,
    erasures,
    evidence,
    explain,
    feedback,
    health,
    intent,
    intent_changes,
    intent_labels,
    live,
    live_tickets,
    log,
    model_call,
    openapi,
    policies,
    re_execute,
    record,
    recording,
    rejudge,
    reports,
    run_frames,
    runs,
    search,
    steps,
    tables,
)
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts


@cache
def _document() -> msgspec.Raw:
    # Made when it is first asked for: nobody waits for it at the start.
    return msgspec.Raw(msgspec.json.encode(openapi.document(OPERATIONS)))


async def _openapi(_parts: Parts, _call: Call) -> Answer:
    return Answer(_document())


OPENAPI: Final = Endpoint(
    _openapi,
    Operation(
        id="getOpenApi",
        method="GET",
        path="/v1/openapi.json",
        scope=None,
        summary="This document",
        description="OpenAPI 3.1, with an example of every answer.",
        reply=dict[str, Any],
    ),
)

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    reports.REPORT_RESULT,
    decisions.GET_DECISION,
    feedback.GIVE_FEEDBACK,
    reports.REPORT_EVENTS,
    runs.OPEN_RUN,
    runs.END_RUN,
    runs.LIST_RUNS,
    runs.GET_RUN,
    record.GET_RECORD,
    run_frames.LIST_FRAMES,
    steps.LIST_STEPS,
    model_call.GET_MODEL_CALL,
    re_execute.RE_EXECUTE,
    explain.EXPLAIN_CALL,
    compare.COMPARE_RUNS,
    determinism.SCORE_DETERMINISM,
    rejudge.REJUDGE_DECISION,
    rejudge.REJUDGE_RUN,
    rejudge.REJUDGE_RANGE,
    recording.GET_RECORDING,
    tables.EXPORT_RUNS,
    evidence.EXPORT_RUN,
    evidence.VERIFY_EXPORT,
    evidence.VERIFY_EXPORT_ALIAS,
    log.LOG_CHECKPOINT,
    log.LOG_CONSISTENCY,
    log.LOG_INCLUSION,
    erasures.ERASE,
    search.SEARCH,
    artifacts.LIST_ARTIFACTS,
    agents.LIST_AGENTS,
    approvals.LIST_APPROVALS,
    approvals.GET_APPROVAL,
    intent.INTENT_REPORT,
    intent.INTENT_PREVIEW,
    intent_changes.INTENT_CALIBRATE,
    intent_changes.INTENT_SWITCH,
    intent_labels.LIST_LABELS,
    intent_labels.LIST_REVIEWS,
    live_tickets.MAKE_TICKET,
    policies.ACTIVE_POLICY,
    policies.POLICY_VERSIONS,
    health.LIVE,
    health.READY,
    OPENAPI,
)

OPERATIONS: Final[tuple[Operation, ...]] = (
    check_action.OPERATION,
    live.FOLLOW,
    *(endpoint.operation for endpoint in ENDPOINTS),
)
