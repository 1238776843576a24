"""Evaluate a frame, judge it, and where a rule modifies arguments, evaluate and judge again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gateway.domain import frame as frames
from gateway.domain import pointers
from gateway.domain.assessed import UNASSESSED, Assessed, with_assessment
from gateway.domain.decision import Decision
from gateway.domain.frame import Frame
from gateway.domain.framed_action import changed_frame
from gateway.domain.judge import change_of, judge
from gateway.domain.rule_results import EngineInfo, Round, RuleResult
from gateway.domain.ruleset import JsonType, Rule, Ruleset
from gateway.engines.port import Engine
from gateway.judging.applicable import RuleIndex

Assess = Callable[[Frame], Awaitable[Assessed]]


class Judgement(Struct, frozen=True):
    """A decision with what it was made from.

    `assessment` is of the arguments that would run.
    """

    decision: Decision
    rounds: tuple[Round, ...]
    engine: EngineInfo
    assessment: dict[str, Any] | None = None


async def judge_frame(
    engine: Engine,
    ruleset: Ruleset,
    frame: Frame,
    encoded: bytes | None = None,
    index: RuleIndex | None = None,
    assess: Assess | None = None,
) -> Judgement:
    """The judgement of one frame; `encoded` are its canonical bytes, where they are at hand.

    `assess` is asked about arguments that rules changed; without it they keep the assessment that
    the frame has.
    """
    if frame.prior is not None:
        return Judgement(judge(frame, ruleset, ()), (), engine.info)
    rules = (index or RuleIndex()).rules(
        ruleset, frame.action.tool, tuple(frame.action.side_effects)
    )
    first = await evaluate(engine, ruleset, rules, frame, encoded or frames.encode(frame))
    rounds: tuple[Round, ...] = (first,)
    assessment = frame.assessment
    change = change_of(frame, ruleset, first)
    if change.arguments is not None:
        changed = changed_frame(frame, ruleset, change.arguments)
        again = None if assess is None else await assess(changed)
        if again is not None:
            changed = with_assessment(changed, again)
            assessment = again.assessment
        second = await evaluate(engine, ruleset, rules, changed, frames.encode(changed))
        if again is not None:
            second = replace(second, assessment=again.assessment, unassessed=again.failed)
        rounds = (first, second)
    return Judgement(judge(frame, ruleset, rounds), rounds, engine.info, assessment)


async def evaluate(
    engine: Engine, ruleset: Ruleset, rules: tuple[Rule, ...], frame: Frame, encoded: bytes
) -> Round:
    """One round. Rules about which the frame itself says enough are not evaluated."""
    settled = {rule.id: found for rule in rules if (found := _settled(rule, frame)) is not None}
    asked = tuple(rule.id for rule in rules if rule.id not in settled)
    answered = await engine.evaluate(ruleset, asked, encoded) if asked else ()
    if not settled:
        return Round(answered)
    results = settled | {result.rule: result for result in answered}
    return Round(tuple(results[rule.id] for rule in rules))


def _settled(rule: Rule, frame: Frame) -> RuleResult | None:
    """The result of a rule that need not be asked: it reads an assessment that failed, lacks what
    it is about, or lacks a required input."""
    if UNASSESSED in frame.coverage and "assessment" in rule.needs:
        return RuleResult(rule=rule.id, failure="unassessed")
    if rule.given and not _all_given(rule, frame):
        return RuleResult(rule=rule.id)
    missing = missing_inputs(rule, frame) if rule.requires else ()
    return RuleResult(rule=rule.id, missing=missing) if missing else None


def missing_inputs(rule: Rule, frame: Frame) -> tuple[str, ...]:
    """The pointers that METADATA `requires` and the frame lacks or has with another type."""
    return tuple(
        sorted(
            pointer
            for pointer, wanted in rule.requires.items()
            if not _is(pointers.resolve(frame, pointer), wanted)
        )
    )


def _all_given(rule: Rule, frame: Frame) -> bool:
    return all(_is_given(pointers.resolve(frame, pointer)) for pointer in rule.given)


def _is_given(value: object) -> bool:
    return value is not pointers.MISSING and value is not None


def _is(value: object, wanted: JsonType) -> bool:
    if not _is_given(value):
        return False
    if wanted == "string":
        return isinstance(value, str)
    if wanted == "boolean":
        return isinstance(value, bool)
    if wanted == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted == "array":
        return isinstance(value, list)
    return not isinstance(value, str | bool | int | float | list)
