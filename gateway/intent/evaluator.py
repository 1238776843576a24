"""One version of the guard: features from the evidence, three heads, one score.

The heads stay apart because they err apart: each is a forest over its own features with a
calibrator of its own. The score is a forest over all of them and over what evidence there was. A
hard difference from a structured plan is no matter of weight: it decides alone.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from math import isfinite
from types import ModuleType
from typing import Any

from msgspec import Struct

from gateway.intent.assessment import (
    Assessment,
    ContextCoverage,
    Coverage,
    Heads,
    PlanCoverage,
    Signal,
)
from gateway.intent.evidence import Evidence
from gateway.intent.versions import Model, read_model, version_of

HEADS = ("plan", "attribution", "consistency")
MOST_SIGNALS = 12
# What the score is told besides the features.
COVERED = ("covered.request", "covered.plan_text", "covered.plan", "covered.untrusted")


def load(version: str | None = None) -> Evaluator:
    """The evaluator of a version, of a model folder's path, or the one this release uses."""
    model = read_model(version)
    return Evaluator(version_of(model), model)


class Evaluator:
    """Judges evidence; holds nothing that a call could change."""

    def __init__(self, version: str, model: Model) -> None:
        self.version = version
        self._model = model
        self._modules = modules(model.package)

    def assess(self, evidence: Evidence) -> Assessment:
        """How likely the call is not what was asked for, and what says so."""
        coverage = coverage_of(evidence)
        if not evidence.given:
            return Assessment(None, Heads(), coverage, (), self.version)
        seen = look(evidence, self._modules)
        log_odds = head_log_odds(self._model, evidence, seen.features)
        chances = {name: self._model.calibrators[name](value) for name, value in log_odds.items()}
        chance = self._model.calibrators["score"](combined(self._model, evidence, seen.features))
        if seen.hard:
            chances["plan"] = max(chances.get("plan", 0.0), self._model.floor)
            chance = max(chance, self._model.floor)
        return Assessment(
            score=round(chance, 6),
            heads=Heads(**{name: round(value, 6) for name, value in chances.items()}),
            coverage=Coverage(
                coverage.request, coverage.plan, coverage.context, truncated=seen.truncated
            ),
            signals=ranked(seen.signals, chances, chance),
            version=self.version,
            raw=Heads(**{name: round(value, 6) for name, value in log_odds.items()}),
        )


class Seen(Struct, frozen=True):
    """What all heads' modules saw in one call."""

    features: dict[str, float]
    signals: dict[str, tuple[Signal, ...]]
    hard: bool
    truncated: tuple[str, ...]


def modules(package: str) -> dict[str, ModuleType]:
    """The feature code that a model was trained on, by head."""
    names = {name: f"gateway.intent.{package}.{name}" for name in HEADS}
    return {head: import_module(name) for head, name in names.items() if find_spec(name)}


def look(evidence: Evidence, by_head: dict[str, ModuleType]) -> Seen:
    """Every feature and signal of a call."""
    features: dict[str, float] = {}
    signals: dict[str, tuple[Signal, ...]] = {}
    truncated: list[str] = []
    hard = False
    for name, module in by_head.items():
        found: Any = module.look(evidence)
        named = _names(name, module.__name__)
        values: list[float] = list(found.features.values())
        if not isfinite(sum(values)):
            values = [value if isfinite(value) else 0.0 for value in values]
        features.update(zip(map(named.__getitem__, found.features), values, strict=True))
        signals[name] = tuple(found.signals)
        truncated += getattr(found, "truncated", ())
        hard = hard or bool(getattr(found, "hard", False))
    return Seen(features, signals, hard, tuple(dict.fromkeys(truncated)))


@lru_cache(maxsize=16)
def _names(head: str, module: str) -> dict[str, str]:
    """The features of a head's module, each with the name that it has among all."""
    return {key: f"{head}.{key}" for key in import_module(module).FEATURES}


def assessable(head: str, evidence: Evidence) -> bool:
    """Whether there is anything to tell this head from."""
    if head == "plan":
        return plan_coverage(evidence) != "none"
    if head == "attribution":
        return bool(evidence.context)
    return bool(evidence.request or evidence.plan_text)


def head_log_odds(model: Model, evidence: Evidence, features: dict[str, float]) -> dict[str, float]:
    """The heads before calibration; one without evidence is left out."""
    return {
        name: model.groves[name].log_odds(features)
        for name in HEADS
        if name in model.groves and assessable(name, evidence)
    }


def combined(model: Model, evidence: Evidence, features: dict[str, float]) -> float:
    """The score before calibration, from all features and what evidence there was."""
    values = with_coverage(evidence, features)
    linear = sum(weight * values.get(name, 0.0) for name, weight in model.weights.items())
    return linear + model.groves["score"].log_odds(values)


def with_coverage(evidence: Evidence, features: dict[str, float]) -> dict[str, float]:
    """The features and the coverage, as the score's forest sees them."""
    coverage = coverage_of(evidence)
    return features | {
        "covered.request": float(coverage.request),
        "covered.plan_text": float(coverage.plan == "text"),
        "covered.plan": float(coverage.plan == "structured"),
        "covered.untrusted": float(coverage.context in ("untrusted", "both")),
    }


def ranked(
    signals: dict[str, tuple[Signal, ...]], chances: dict[str, float], score: float
) -> tuple[Signal, ...]:
    """All signals, each counted as far as its head was moved, or the score where that is null."""
    best: dict[tuple[str, str], Signal] = {}
    for head, found in signals.items():
        for signal in found:
            counted = round(signal.contribution * chances.get(head, score), 6)
            known = best.get((signal.check, signal.field))
            if counted > 0 and (known is None or counted > known.contribution):
                best[signal.check, signal.field] = _counted(signal, counted)
    order = sorted(best.values(), key=lambda one: (-one.contribution, one.check, one.field))
    return tuple(order[:MOST_SIGNALS])


def _counted(signal: Signal, contribution: float) -> Signal:
    return Signal(
        signal.check,
        signal.field,
        signal.observed,
        signal.expected,
        signal.source,
        signal.trusted,
        min(1.0, contribution),
    )


def coverage_of(evidence: Evidence) -> Coverage:
    """What evidence there is, before anything of it was read."""
    return Coverage(
        request=bool(evidence.request),
        plan=plan_coverage(evidence),
        context=_context_coverage(evidence),
    )


def plan_coverage(evidence: Evidence) -> PlanCoverage:
    """How the plan was given. Empty arguments are a plan only together with the tool's name."""
    if evidence.plan_arguments or evidence.plan_tool:
        return "structured"
    return "text" if evidence.plan_text else "none"


def _context_coverage(evidence: Evidence) -> ContextCoverage:
    trust = {item.trusted for item in evidence.context}
    if len(trust) == 2:
        return "both"
    if not trust:
        return "none"
    return "trusted" if True in trust else "untrusted"
