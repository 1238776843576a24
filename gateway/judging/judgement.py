"""Evaluate a frame, judge it, and where a rule modifies arguments, evaluate and judge again."""

from __future__ import annotations

from msgspec import Struct

from gateway.domain import frame as frames
from gateway.domain import pointers
from gateway.domain.decision import Decision
from gateway.domain.frame import Frame
from gateway.domain.framed_action import changed_frame
from gateway.domain.judge import change_of, judge
from gateway.domain.rule_results import EngineInfo, Round, RuleResult
from gateway.domain.ruleset import JsonType, Rule, Ruleset
from gateway.engines.port import Engine
from gateway.judging.applicable import RuleIndex


class Judgement(Struct, frozen=True):
    """A decision with what it was made from."""

    decision: Decision
    rounds: tuple[Round, ...]
    engine: EngineInfo


async def judge_frame(
    engine: Engine,
    ruleset: Ruleset,
    frame: Frame,
    encoded: bytes | None = None,
    index: RuleIndex | None = None,
) -> Judgement:
    """The judgement of one frame; `encoded` are its canonical bytes, where they are at hand."""
    if frame.prior is not None:
        return Judgement(judge(frame, ruleset, ()), (), engine.info)
    rules = (index or RuleIndex()).rules(
        ruleset, frame.action.tool, tuple(frame.action.side_effects)
    )
    first = await evaluate(engine, ruleset, rules, frame, encoded or frames.encode(frame))
    rounds: tuple[Round, ...] = (first,)
    change = change_of(frame, ruleset, first)
    if change.arguments is not None:
        changed = changed_frame(frame, ruleset, change.arguments)
        second = await evaluate(engine, ruleset, rules, changed, frames.encode(changed))
        rounds = (first, second)
    return Judgement(judge(frame, ruleset, rounds), rounds, engine.info)


async def evaluate(
    engine: Engine, ruleset: Ruleset, rules: tuple[Rule, ...], frame: Frame, encoded: bytes
) -> Round:
    """One round: rules that lack a required input answer `missing` and are not evaluated."""
    lacking = {rule.id: found for rule in rules if (found := missing_inputs(rule, frame))}
    asked = tuple(rule.id for rule in rules if rule.id not in lacking)
    answered = await engine.evaluate(ruleset, asked, encoded) if asked else ()
    if not lacking:
        return Round(answered)
    results = {result.rule: result for result in answered}
    for rule_id, pointers_ in lacking.items():
        results[rule_id] = RuleResult(rule=rule_id, missing=pointers_)
    return Round(tuple(results[rule.id] for rule in rules))


def missing_inputs(rule: Rule, frame: Frame) -> tuple[str, ...]:
    """The pointers that METADATA `requires` and the frame lacks or has with another type."""
    return tuple(
        sorted(
            pointer
            for pointer, wanted in rule.requires.items()
            if not _is(pointers.resolve(frame, pointer), wanted)
        )
    )


def _is(value: object, wanted: JsonType) -> bool:
    if value is pointers.MISSING or value is None:
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
