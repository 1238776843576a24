"""The run's state as a rule sees it: read once from the gathered state, then never again."""

from __future__ import annotations

from gateway.domain.canonical import arguments_digest
from gateway.domain.check import HistoryItem
from gateway.domain.frame import FrameBudget, FramePast, FrameState
from gateway.domain.likeness import likeness as likeness_of
from gateway.domain.run_state import ActionRecord, RunState, counted


def state_of(
    state: RunState,
    *,
    tool: str,
    submitted_digest: str,
    likeness: str,
    history: list[HistoryItem],
    labels: list[str],
    budgets: list[FrameBudget],
    needs: frozenset[str],
) -> FrameState:
    """Only what the applicable rules read is looked at: an untouched part stays empty.

    `labels` are those that this very check adds; they count at once. `history` stands in for the
    actions of a run where the caller keeps none.
    """
    if not needs:
        return FrameState()
    if "state" not in needs:
        return FrameState(budgets=budgets)
    same_digest = same_likeness = 0
    for record in state.recent.values():
        if record.tool == tool:
            same_digest += record.submitted_digest == submitted_digest
            same_likeness += record.likeness == likeness
    for past in history:
        if past.tool == tool:
            same_digest += arguments_digest(past.arguments) == submitted_digest
            same_likeness += likeness_of(tool, past.arguments) == likeness
    counters = state.counters
    return FrameState(
        calls=counters.get("calls", 0),
        calls_of_tool=counted(state, f"tool:{tool}"),
        identical=same_digest,
        near_identical=same_likeness,
        denials_in_a_row=counters.get("denials_in_a_row", 0),
        spend={name[6:]: amount for name, amount in counters.items() if name.startswith("spend:")},
        labels=sorted({*state.labels, *labels}),
        budgets=budgets,
        recent=[_past(each) for each in reversed(state.recent.values())]
        if "recent" in needs
        else [],
    )


def _past(record: ActionRecord) -> FramePast:
    return FramePast(
        tool=record.tool,
        arguments_digest=record.submitted_digest,
        side_effects=list(record.side_effects),
        verdict=record.verdict,
        enforced=record.enforced,
        outcome=record.outcome,
    )
