"""Approvals: what people were asked, until when, and what became of it."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET, Struct, UnsetType

from gateway.api import cursor, freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import Cursor, Limit
from gateway.domain.projections import ApprovalRow, ApprovalStatus
from gateway.errors import NotFound


class ApprovalsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Approvals of one status, or all; a page goes on behind `cursor`."""

    status: ApprovalStatus | UnsetType = UNSET
    limit: Limit = 50
    cursor: Cursor | UnsetType = UNSET


class ApprovalPage(Struct, frozen=True):
    """Approvals, newest first. `next_cursor` is null on the last page."""

    approvals: list[ApprovalRow]
    has_more: bool
    next_cursor: str | None


async def _list_approvals(parts: Parts, call: Call) -> Answer:
    query: ApprovalsQuery = call.query
    status = query.status or None
    project_id, listed = call.caller.project_id, ["approvals", status]
    before = cursor.read(parts.cursor_key, project_id, listed, query.cursor or None)
    found = await parts.ledger.approvals(project_id, status, before, query.limit + 1)
    rows = [ApprovalRow(**row) for row in found[: query.limit]]
    more = len(found) > len(rows)
    place = (rows[-1].requested_at, rows[-1].approval_id) if more else None
    following = cursor.write(parts.cursor_key, project_id, listed, place) if place else None
    return Answer(ApprovalPage(rows, more, following))


async def _get_approval(parts: Parts, call: Call) -> Answer:
    approval_id = call.path["approval_id"]
    found = await freshness.soon(
        parts,
        approval_id,
        lambda: parts.ledger.approval(call.caller.project_id, approval_id),
    )
    if found is None:
        raise NotFound("approval_not_found", "No approval of this id in this project.")
    return Answer(ApprovalRow(**found))


LIST_APPROVALS: Final = Endpoint(
    _list_approvals,
    Operation(
        id="listApprovals",
        method="GET",
        path="/v1/approvals",
        scope="read",
        summary="The project's approvals, newest first",
        description="An approval that nobody gives in time expires, and the call stays stopped.",
        query=ApprovalsQuery,
        reply=ApprovalPage,
        problems=("bad_cursor",),
    ),
)

GET_APPROVAL: Final = Endpoint(
    _get_approval,
    Operation(
        id="getApproval",
        method="GET",
        path="/v1/approvals/{approval_id}",
        scope="read",
        summary="One approval",
        description="Which call it is about, which rules asked, until when, and its status.",
        reply=ApprovalRow,
        problems=("approval_not_found",),
    ),
)
