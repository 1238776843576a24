"""The run's state as a rule sees it: read once from the gathered state, then never again."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from gateway.domain.canonical import arguments_digest
from gateway.domain.check import HistoryItem
from gateway.domain.frame import FrameAction, FrameBudget, FramePast, FrameState
from gateway.domain.likeness import likeness as likeness_of
from gateway.domain.run_state import ActionRecord, RunState, counted


class Alike(Struct, frozen=True):
    """How many earlier calls were like this one."""

    identical: int = 0
    near_identical: int = 0


NONE_ALIKE: Final = Alike()


def alike_in(history: list[HistoryItem], action: FrameAction, likeness: str) -> Alike:
    """What a history has that is like the call: it stands in for the actions of a run where the
    caller keeps none."""
    same_digest = same_likeness = 0
    for past in history:
        if past.tool != action.tool:
            continue
        # Python's equality is the coarser one (1 is true): most differ without a digest.
        same_digest += (
            past.arguments == action.arguments
            and arguments_digest(past.arguments) == action.arguments_digest
        )
        same_likeness += likeness_of(past.tool, past.arguments) == likeness
    return Alike(same_digest, same_likeness)


def state_of(
    state: RunState,
    *,
    tool: str,
    submitted_digest: str,
    likeness: str,
    alike: Alike,
    labels: list[str],
    budgets: list[FrameBudget],
    needs: frozenset[str],
) -> FrameState:
    """Only what the applicable rules read is looked at: an untouched part stays empty.

    `labels` are those that this very check adds; they count at once. `alike` are the calls in the
    caller's own history.
    """
    if not needs:
        return FrameState()
    if "state" not in needs:
        return FrameState(budgets=budgets)
    same_digest, same_likeness = alike.identical, alike.near_identical
    for record in state.recent.values():
        if record.tool == tool:
            same_digest += record.submitted_digest == submitted_digest
            same_likeness += record.likeness == likeness
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
