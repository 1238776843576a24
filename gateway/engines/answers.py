"""From the text that a rule produced to results: whatever is not a verdict is a failure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from gateway.domain import canonical
from gateway.domain.rule_results import RuleResult, RuleVerdict
from gateway.domain.verdicts import Verdict
from gateway.engines.complaints import Failed, one_line
from gateway.engines.numbers import in_one_form


class _Said(Struct, frozen=True, forbid_unknown_fields=True):
    """A verdict as a rule may say it: a misspelt field must not be passed over."""

    effect: Verdict
    reason: str
    suggestion: str | None = None
    fields: tuple[str, ...] = ()
    patch: tuple[dict[str, Any], ...] = ()


# Also nested without end, and a number that nothing can hold.
NO_VERDICTS = (msgspec.DecodeError, RecursionError, OverflowError)

_all = msgspec.json.Decoder(tuple[tuple[_Said, ...], ...])
_each = msgspec.json.Decoder(list[msgspec.Raw])
_one = msgspec.json.Decoder(tuple[_Said, ...])


def of_all(rules: tuple[str, ...], answer: bytes) -> tuple[RuleResult, ...]:
    """Results from one answer for all rules: an array with an array of verdicts for each."""
    try:
        said = _all.decode(answer)
        if len(said) == len(rules):
            return tuple(map(_result, rules, said))
    except NO_VERDICTS:
        return of_each(rules, _split(answer, len(rules)))
    return of_each(rules, [Failed("malformed")] * len(rules))


def of_each(rules: tuple[str, ...], outcomes: Iterable[bytes | Failed]) -> tuple[RuleResult, ...]:
    """Results from an array of verdicts, or a failure, for each rule."""
    return tuple(_of_one(rule, said) for rule, said in zip(rules, outcomes, strict=True))


def _split(answer: bytes, count: int) -> list[bytes | Failed]:
    try:
        parts = _each.decode(answer)
    except NO_VERDICTS:
        parts = []
    if len(parts) != count:
        return [Failed("malformed")] * count
    return [bytes(part) for part in parts]


def _of_one(rule: str, outcome: bytes | Failed) -> RuleResult:
    if isinstance(outcome, Failed):
        return RuleResult(rule, failure=outcome.failure, error=outcome.error)
    try:
        return _result(rule, _one.decode(outcome))
    except NO_VERDICTS as error:
        return RuleResult(rule, failure="malformed", error=one_line(f"no verdict: {error}"))


def _result(rule: str, said: tuple[_Said, ...]) -> RuleResult:
    if not said:
        return RuleResult(rule)
    verdicts = [
        RuleVerdict(
            one.effect,
            one.reason,
            one.suggestion,
            one.fields,
            tuple(map(in_one_form, one.patch)) if one.patch else (),
        )
        for one in said
    ]
    if len(verdicts) > 1:
        # Sorted, and each once: Rego's set holds `{...}` and `{..., "fields": []}` as two.
        by_bytes = {canonical.encode(verdict): verdict for verdict in verdicts}
        verdicts = [by_bytes[key] for key in sorted(by_bytes)]
    return RuleResult(rule, tuple(verdicts))
