"""What is fixed about one check before anything is gathered."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from gateway.ambient import Ambient
from gateway.checking.state_view import NONE_ALIKE, Alike, alike_in
from gateway.domain.check import ActionCheck, RunRef
from gateway.domain.events import event_of_decision
from gateway.domain.frame import FrameAction
from gateway.domain.framed_action import framed_action
from gateway.domain.likeness import likeness
from gateway.domain.ruleset import Environment, Reads, Rule, Ruleset
from gateway.domain.run_ids import run_id_of
from gateway.judging.applicable import RuleIndex
from gateway.storage.ports import Caller


class Ids(Struct, frozen=True):
    """The identifiers of one check. `given` tells whether the caller named the action."""

    run_id: str
    action_id: str
    attempt: str | None
    decision_id: str
    event_id: str
    external_run: str | None
    given: bool


class Case(Struct, frozen=True):
    """One check: who asks, what for, under which rules. `needs` is what those rules read.

    `alike` are calls like this one in the history that stands in for a run.
    """

    caller: Caller
    check: ActionCheck
    run: RunRef
    ids: Ids
    ruleset: Ruleset
    environment: Environment
    action: FrameAction
    rules: tuple[Rule, ...]
    needs: frozenset[str]
    reads: tuple[Reads, ...]
    likeness: str
    agent_id: str | None
    alike: Alike = NONE_ALIKE


def open_case(
    caller: Caller, check: ActionCheck, ruleset: Ruleset, index: RuleIndex, ambient: Ambient
) -> Case:
    """Name the run, the action and the decision, and find the rules that apply."""
    ids = _ids(caller, check, ambient)
    action = framed_action(check.action, ids.action_id, ruleset)
    rules = index.rules(ruleset, action.tool, tuple(action.side_effects))
    needs: frozenset[str] = frozenset().union(*(rule.needs for rule in rules))
    alike_to = likeness(action.tool, action.arguments) if "state" in needs else ""
    # A run has a history of its own.
    history = check.history if ids.external_run is None and "state" in needs else []
    parent = check.run.parent_run_id
    run = check.run
    if parent is not None:
        named = run_id_of(caller.project_id, caller.environment, parent)
        run = replace(run, parent_run_id=named)
    return Case(
        caller=caller,
        check=check,
        run=run,
        ids=ids,
        ruleset=ruleset,
        environment=ruleset.environment(caller.environment),
        action=action,
        rules=rules,
        needs=needs,
        reads=tuple(predicate for rule in rules for predicate in rule.reads),
        likeness=alike_to,
        agent_id=caller.agent_id or check.run.agent_id,
        alike=alike_in(history, action, alike_to) if history else NONE_ALIKE,
    )


def _ids(caller: Caller, check: ActionCheck, ambient: Ambient) -> Ids:
    given = check.run.id
    decision_id = ambient.new_id("dec")
    return Ids(
        run_id=ambient.new_id("run")
        if given is None
        else run_id_of(caller.project_id, caller.environment, given),
        action_id=check.action.id or ambient.new_id("act"),
        attempt=check.action.attempt,
        decision_id=decision_id,
        event_id=event_of_decision(decision_id),
        external_run=given,
        given=check.action.id is not None,
    )
