"""The judgement: a pure function from a frame, a ruleset and rule results to a decision.

It reads no clock, no network and no randomness, so the live check, re-judgement and backtest go
the same way and the same input gives the same bytes.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gateway.domain import patches
from gateway.domain.assessed import UNASSESSED
from gateway.domain.decision import Decision, Reason
from gateway.domain.frame import STATE_UNKNOWN, Frame, FrameApproval
from gateway.domain.framed_action import changed_frame
from gateway.domain.rule_results import Round, RuleResult, RuleVerdict
from gateway.domain.ruleset import Environment, Rule, Ruleset, default_verdict, failed_rule_verdict
from gateway.domain.run_state import APPROVALS_PENDING_MAX
from gateway.domain.verdicts import SEVERITY, Verdict, cap, most_severe

PRIOR_RULE = "checkrein.idempotency"
HALTED_RULE = "checkrein.run_halted"
DEFAULT_RULE = "checkrein.default"
AMOUNT_RULE = "checkrein.amount_conflict"
PATCH_RULE = "checkrein.patch_conflict"
UNSTABLE_RULE = "checkrein.modify_unstable"
PENDING_RULE = "checkrein.approvals_pending"


class Change(Struct, frozen=True):
    """What enforced modifications make of the arguments; `conflict` says why they cannot."""

    arguments: dict[str, Any] | None = None
    conflict: str | None = None


def judge(frame: Frame, ruleset: Ruleset, rounds: tuple[Round, ...]) -> Decision:
    """Make the decision from one round of results, or two when arguments were modified.

    `frame` is the frame of the first round; the second was evaluated on `changed_frame`.
    """
    if frame.prior is not None:
        return _decide(frame, ruleset, frame, [_prior_reason(frame)], None, (), ())
    first = _reasons(frame, ruleset, rounds[0])
    change = change_of(frame, ruleset, rounds[0])
    if change.conflict is not None:
        conflict = _own(frame, PATCH_RULE, "block", f"Rules disagree: {change.conflict}.")
        return _decide(frame, ruleset, frame, [*first, conflict], None, rounds, ())
    if change.arguments is None or len(rounds) == 1:
        reasons, waived = _waive(frame, frame.action.arguments_digest, first)
        return _decide(frame, ruleset, frame, reasons, None, rounds, waived)
    return _judge_changed(frame, ruleset, rounds, first, change.arguments)


def change_of(frame: Frame, ruleset: Ruleset, first: Round) -> Change:
    """The changed arguments, when modifications are enforced and nothing stops the call anyway."""
    if frame.prior is not None:
        return Change()
    enforced = [
        (result, verdict)
        for result in first.results
        for verdict in result.verdicts
        if verdict.effect == "modify" and _enforced(frame, ruleset, result, "modify") == "modify"
    ]
    if not enforced or _stops(frame, ruleset, first):
        return Change()
    try:
        changed = patches.apply(frame.action.arguments, [verdict.patch for _, verdict in enforced])
    except patches.PatchRefused as refused:
        return Change(conflict=str(refused))
    return Change(arguments=changed)


def _judge_changed(
    frame: Frame,
    ruleset: Ruleset,
    rounds: tuple[Round, ...],
    first: list[Reason],
    changed: dict[str, Any],
) -> Decision:
    second_frame = changed_frame(frame, ruleset, changed)
    modified = [reason for reason in first if reason.enforced == "modify"]
    again = _reasons(second_frame, ruleset, rounds[1])
    second = [reason for reason in again if reason.enforced != "modify"]
    unstable = _unstable(second_frame, ruleset, rounds[1])
    if unstable:
        second.append(
            _own(
                frame,
                UNSTABLE_RULE,
                "block",
                f"The rule {unstable} would change the arguments again after they were changed.",
            )
        )
    if _another_budget(frame, second_frame):
        text = "A rule changed the call's currency; no budget was asked for the new amount."
        second.append(_own(frame, AMOUNT_RULE, "block", text))
    reasons, waived = _waive(frame, second_frame.action.arguments_digest, [*modified, *second])
    return _decide(frame, ruleset, second_frame, reasons, changed, rounds, waived)


def _another_budget(frame: Frame, changed: Frame) -> bool:
    """Whether the changed amount belongs to budgets that were not reserved from."""
    before, after = frame.action.amount, changed.action.amount
    currencies = (before and before.currency, after and after.currency)
    return after is not None and currencies[0] != currencies[1]


def _unstable(frame: Frame, ruleset: Ruleset, second: Round) -> str | None:
    """The first rule whose enforced patch would still change something in the second round."""
    for result in second.results:
        for verdict in result.verdicts:
            if verdict.effect != "modify":
                continue
            if _enforced(frame, ruleset, result, "modify") != "modify":
                continue
            try:
                again = patches.apply(frame.action.arguments, [verdict.patch])
            except patches.PatchRefused:
                return result.rule
            if again != frame.action.arguments:
                return result.rule
    return None


def _stops(frame: Frame, ruleset: Ruleset, first: Round) -> bool:
    """Whether the first round blocks or halts, so that changing arguments is idle."""
    return any(
        SEVERITY[reason.enforced] >= SEVERITY["block"] for reason in _reasons(frame, ruleset, first)
    )


def _reasons(frame: Frame, ruleset: Ruleset, round_: Round) -> list[Reason]:
    """All words about one form of the arguments, in order of rule id, our own first."""
    reasons: list[Reason] = []
    if frame.action.amount_source == "conflict":
        text = "The amount stated beside the call differs from the amount in its arguments."
        reasons.append(_own(frame, AMOUNT_RULE, "block", text))
    for result in sorted(round_.results, key=lambda result: result.rule):
        reasons += _of_result(frame, ruleset, result)
    return reasons + _default(frame, ruleset, round_)


def _of_result(frame: Frame, ruleset: Ruleset, result: RuleResult) -> list[Reason]:
    if result.missing:
        text = "input_missing: the call lacks what this rule needs to judge it"
        spoken: tuple[RuleVerdict, ...] = (
            RuleVerdict(
                effect="block",
                reason=f"{text}: {', '.join(result.missing)}.",
                suggestion="Send the missing values with the types that the tool declares.",
                fields=result.missing,
            ),
        )
    elif result.failure is not None:
        spoken = (
            RuleVerdict(
                effect=failed_rule_verdict(_environment(frame, ruleset), _effects(frame)),
                reason=f"This rule could not be evaluated ({result.failure}).",
                suggestion="Try again; if it goes on, tell the people who keep the policy.",
            ),
        )
    else:
        spoken = result.verdicts
    return [
        Reason(
            rule=result.rule,
            effect=verdict.effect,
            enforced=_enforced(frame, ruleset, result, verdict.effect),
            reason=verdict.reason,
            suggestion=verdict.suggestion,
            fields=verdict.fields,
        )
        for verdict in spoken
    ]


def _enforced(frame: Frame, ruleset: Ruleset, result: RuleResult, effect: Verdict) -> Verdict:
    rule: Rule = ruleset.rule(result.rule)
    return cap(cap(effect, rule.stage_in(frame.environment)), frame.mode)


def _default(frame: Frame, ruleset: Ruleset, round_: Round) -> list[Reason]:
    """What the environment says of side effects that no applicable rule governs."""
    rules = [
        rule
        for rule in (ruleset.rule(result.rule) for result in round_.results)
        # A rule on trial is looked at, and weakens nothing meanwhile.
        if rule.stage_in(frame.environment) == "block"
    ]
    left = [
        kind
        for kind in frame.action.side_effects
        if not any(rule.governs(frame.action.tool, kind) for rule in rules)
    ]
    effect = default_verdict(_environment(frame, ruleset), frozenset(left))
    if effect == "allow":
        return []
    kinds = ", ".join(left)
    text = f"No rule covers {frame.action.tool}; for {kinds} this environment says {effect}."
    return [_own(frame, DEFAULT_RULE, effect, text, "Ask a person, or use a tool with a rule.")]


def _own(
    frame: Frame, rule: str, effect: Verdict, text: str, suggestion: str | None = None
) -> Reason:
    """A word of the gateway itself: no stage, capped by the mode alone."""
    return Reason(rule, effect, cap(effect, frame.mode), text, suggestion)


def _prior_reason(frame: Frame) -> Reason:
    """Why an id is not judged afresh. A halted run is not capped: nothing in it runs again."""
    prior = frame.prior
    assert prior is not None
    if prior.status == "halted":
        text = "This run was halted; no further action in it is possible."
        return Reason(HALTED_RULE, "halt", "halt", text, "Stop, and report to a person.")
    if prior.status == "already_executed":
        text = f"already_executed: this action was carried out before ({prior.outcome})."
        return _own(frame, PRIOR_RULE, "block", text, "Use the earlier outcome.")
    text = "in_doubt: this action was let through before and its outcome is not known."
    return _own(frame, PRIOR_RULE, "block", text, "Find out whether it happened, then report it.")


def _waive(frame: Frame, digest: str, reasons: list[Reason]) -> tuple[list[Reason], list[str]]:
    """Turn `require_approval` of rules that a person has answered into `allow`."""
    answers = [
        answer
        for answer in (*frame.approvals, *frame.grants)
        if answer.arguments_digest in ("*", digest) and int(answer.expires_ns) > int(frame.time.ns)
    ]
    waived: list[str] = []
    kept: list[Reason] = []
    for reason in reasons:
        answer = next((a for a in answers if _answers(a, reason)), None)
        if answer is None:
            kept.append(reason)
            continue
        waived.append(answer.id)
        kept.append(
            Reason(reason.rule, "allow", "allow", reason.reason, None, reason.fields),
        )
    return kept, sorted(set(waived))


def _answers(answer: FrameApproval, reason: Reason) -> bool:
    return reason.effect == "require_approval" and (
        "*" in answer.rules or reason.rule in answer.rules
    )


def _decide(
    frame: Frame,
    ruleset: Ruleset,
    final: Frame,
    reasons: list[Reason],
    changed: dict[str, Any] | None,
    rounds: tuple[Round, ...],
    waived: list[str] | tuple[str, ...],
) -> Decision:
    enforced = most_severe(reason.enforced for reason in reasons)
    if enforced == "require_approval" and frame.approvals_pending >= APPROVALS_PENDING_MAX:
        reasons = [*reasons, _too_many_pending(frame)]
        enforced = "block"
    runs_changed = changed is not None and enforced in ("modify", "require_approval")
    return Decision(
        verdict=most_severe(reason.effect for reason in reasons),
        enforced=enforced,
        mode=frame.mode,
        reasons=tuple(reasons),
        arguments=changed if runs_changed else None,
        arguments_digest=final.action.arguments_digest,
        amount=final.action.amount,
        policy_digest=ruleset.digest,
        degraded=_degraded(frame, rounds),
        waived=tuple(waived),
        rounds=len(rounds),
    )


def _too_many_pending(frame: Frame) -> Reason:
    """A question too many is not asked: it would drown the others."""
    text = (
        f"approvals_pending: {frame.approvals_pending} calls of this run wait for a person already;"
        f" at most {APPROVALS_PENDING_MAX} may."
    )
    next_step = "Wait until some are answered or expire, then make the call again."
    return Reason(PENDING_RULE, "block", "block", text, next_step)


def _degraded(frame: Frame, rounds: tuple[Round, ...]) -> tuple[str, ...]:
    """Which parts of the judgement failed: `engine:<rule>:<failure>`, `journal`, `assessment`."""
    found = {
        f"engine:{result.rule}:{result.failure}"
        for round_ in rounds
        for result in round_.results
        if result.failure not in (None, "unassessed")
    }
    if UNASSESSED in frame.coverage or any(round_.unassessed for round_ in rounds):
        found.add(UNASSESSED)
    if STATE_UNKNOWN in frame.coverage:
        found.add("journal")
    return tuple(sorted(found))


def _environment(frame: Frame, ruleset: Ruleset) -> Environment:
    return ruleset.environment(frame.environment)


def _effects(frame: Frame) -> frozenset[str]:
    return frozenset(frame.action.side_effects)
