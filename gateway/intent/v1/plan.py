"""The hard facts: a call against its plan, field by field, and against the tool's schema.

Nothing here is learned. A difference on a flag, an amount, a recipient or a direction is `hard`
and may decide alone; all else are features for the plan head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from gateway.intent.assessment import Signal
from gateway.intent.evidence import Evidence
from gateway.intent.v1.plan_compare import differences
from gateway.intent.v1.plan_difference import Difference
from gateway.intent.v1.plan_fields import Alignment, Field, align, fields_of
from gateway.intent.v1.plan_schema import Violation, violations
from gateway.intent.v1.plan_text import text_differences, tool_unsaid, verb_replaced
from gateway.intent.v1.plan_tool import tool_gap

MOST_SIGNALS: Final = 12
_SHOWN: Final = 200
_KINDS: Final = (
    "boolean", "direction", "amount", "number", "recipient", "id", "date", "enum", "text",
    "entity", "missing", "extra",
)  # fmt: skip
_TEXT_KINDS: Final = ("boolean", "amount", "recipient", "verb")

#: The features of the plan head and how each may move the score: +1 raises it, -1 lowers it.
FEATURES: Final[dict[str, int]] = {
    "plan.strongest": 1,
    "plan.second": 1,
    "plan.hard": 1,
    "plan.count": 1,
    **{f"plan.{kind}": 1 for kind in _KINDS},
    "plan.scaled": 1,
    "plan.tool": 1,
    "plan.agreed": -1,
    "plan.coverage": 0,
    "plan.structured": 0,
    "plan.text_strongest": 1,
    **{f"plan.text_{kind}": 1 for kind in _TEXT_KINDS},
    "plan.text_tool_unsaid": 1,
    "plan.text_verb_replaced": 1,
    "schema.broken": 1,
}


class Plan(Struct, frozen=True):
    """What the plan and the schema say about a call. `hard`: one difference may decide alone."""

    features: dict[str, float]
    signals: tuple[Signal, ...]
    hard: bool = False


def look(evidence: Evidence) -> Plan:
    """Compare a call with its plan and its schema; the same evidence gives the same answer."""
    called = fields_of(evidence.arguments, evidence.schema)
    features = dict.fromkeys(FEATURES, 0.0)
    found: list[Difference] = []
    if evidence.plan_arguments:
        meant = fields_of(evidence.plan_arguments, evidence.schema)
        alignment = align(meant, called)
        found = differences(alignment, evidence.arguments)
        _of_alignment(features, alignment, found)
    tool = _tool(evidence)
    spoken = _spoken(evidence, called)
    broken = violations(evidence.arguments, called, evidence.schema)
    _of_differences(features, found, tool)
    _of_text(features, spoken)
    if evidence.plan_text:
        features["plan.text_tool_unsaid"] = tool_unsaid(evidence.plan_text, evidence.tool)
        features["plan.text_verb_replaced"] = verb_replaced(evidence.plan_text, evidence.tool)
    features["schema.broken"] = float(bool(broken))
    hard = any(each.hard for each in (*found, *tool))
    features["plan.hard"] = float(hard)
    return Plan(features, _signals([*tool, *found], spoken, broken), hard)


def _tool(evidence: Evidence) -> list[Difference]:
    if not evidence.plan_tool:
        return []
    relation, weight = tool_gap(evidence.plan_tool, evidence.tool)
    if weight <= 0:
        return []
    hard = relation == "opposite"
    return [Difference("tool", relation, "/tool", evidence.tool, evidence.plan_tool, weight, hard)]


def _spoken(evidence: Evidence, called: Sequence[Field]) -> list[Difference]:
    if not evidence.plan_text:
        return []
    return text_differences(evidence.plan_text, evidence.tool, called)


def _of_alignment(
    features: dict[str, float], alignment: Alignment, found: Sequence[Difference]
) -> None:
    pairs, missing, extra = alignment.pairs, alignment.missing, alignment.extra
    differ = sum(each.kind not in {"missing", "extra"} and each.weight >= 0.5 for each in found)
    features["plan.structured"] = 1.0
    features["plan.agreed"] = max(len(pairs) - differ, 0) / max(len(pairs) + len(missing), 1)
    features["plan.coverage"] = len(pairs) / max(len(pairs) + len(extra), 1)


def _of_differences(
    features: dict[str, float], found: Sequence[Difference], tool: Sequence[Difference]
) -> None:
    weights = sorted((each.weight for each in (*found, *tool)), reverse=True)
    features["plan.strongest"] = weights[0] if weights else 0.0
    features["plan.second"] = weights[1] if len(weights) > 1 else 0.0
    features["plan.count"] = min(sum(weight >= 0.5 for weight in weights), 8) / 8
    features["plan.tool"] = tool[0].weight if tool else 0.0
    for each in found:
        name = f"plan.{each.kind}"
        features[name] = max(features[name], each.weight)
        if each.relation in {"unit", "scale", "sign"}:
            features["plan.scaled"] = 1.0


def _of_text(features: dict[str, float], spoken: Sequence[Difference]) -> None:
    for each in spoken:
        kind = each.kind.removeprefix("text.")
        names = ["plan.text_strongest"] + ([f"plan.text_{kind}"] if kind in _TEXT_KINDS else [])
        for name in names:
            features[name] = max(features[name], each.weight)


def _signals(
    found: Sequence[Difference], spoken: Sequence[Difference], broken: Sequence[Violation]
) -> tuple[Signal, ...]:
    signals = [_signal(each, f"plan.{each.kind}", "plan") for each in found]
    signals += [_signal(each, f"plan.{each.kind}", "plan.text") for each in spoken]
    signals += [
        Signal(
            check=f"schema.{each.rule}",
            field=f"/action/arguments{each.pointer}",
            observed=_short(each.observed),
            expected=_short(each.expected),
            source="schema",
            trusted=True,
            contribution=0.3,
        )
        for each in broken
    ]
    return tuple(sorted(signals, key=lambda each: -each.contribution)[:MOST_SIGNALS])


def _signal(each: Difference, check: str, source: str) -> Signal:
    place = (
        "/action/tool" if each.pointer == "/tool" and each.kind.endswith(("tool", "verb")) else ""
    )
    return Signal(
        check=check,
        field=place or f"/action/arguments{each.pointer}",
        observed=_short(each.observed),
        expected=_short(each.expected),
        source=source,
        trusted=True,
        contribution=round(min(max(each.weight, 0.0), 1.0), 6),
    )


def _short(value: object) -> object:
    """What a signal shows: texts cut, and of lists and objects only what they begin with."""
    if isinstance(value, str):
        return value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 128:
        return "a huge number"
    if isinstance(value, list):
        return [_short(each) for each in value[:8]]
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    return value
