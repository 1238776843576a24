"""Whose run it is: said once, when the run begins, and not to be changed by a later claim.

Budgets, the subject's key and the record all rest on it.
"""

from __future__ import annotations

from msgspec.structs import replace

from gateway.checking.case import Case
from gateway.domain.check import RunRef
from gateway.domain.run_state import RunState
from gateway.errors import Conflict, Forbidden
from gateway.storage.ports import Caller

_FACTS = ("agent_id", "user_id", "parent_run_id")


def refuse_other_identity(caller: Caller, run: RunRef, state: RunState) -> None:
    """Raises Forbidden for another agent's key, Conflict for a claim that contradicts the run."""
    if state.last_seq == 0:
        return
    if caller.agent_id is not None and state.agent_id != caller.agent_id:
        raise Forbidden("run_of_another_agent", "This key is bound to another agent than the run.")
    for fact in _FACTS:
        claimed, known = getattr(run, fact), getattr(state, fact)
        if claimed is not None and claimed != known:
            began = "without one" if known is None else "with another"
            raise Conflict(
                "run_identity_mismatch",
                f"The run began {began}: {fact} is said when a run begins, and then stays.",
                pointer=f"/run/{fact}",
            )


def known_case(case: Case, state: RunState) -> Case:
    """The case with what its run says about itself, where the request left it out."""
    if state.last_seq == 0:
        return case
    run = case.run
    if (case.agent_id, run.user_id, run.parent_run_id) == (
        state.agent_id,
        state.user_id,
        state.parent_run_id,
    ):
        return case
    told = replace(
        run,
        agent_id=state.agent_id,
        user_id=state.user_id,
        parent_run_id=state.parent_run_id,
        name=state.name,
    )
    return replace(case, run=told, agent_id=state.agent_id)
