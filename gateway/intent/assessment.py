"""What the Intent Guard answers."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

PlanCoverage = Literal["none", "text", "structured"]
ContextCoverage = Literal["none", "trusted", "untrusted", "both"]


class Heads(Struct, frozen=True):
    """The three part scores, each 0 to 1; null where there is nothing to tell it from.

    `plan`: the call differs from its plan. `attribution`: untrusted content explains the call
    better than the request does. `consistency`: a value, verb, sign, unit, role or scope of the
    call does not go with the request.
    """

    plan: float | None = None
    attribution: float | None = None
    consistency: float | None = None


class Coverage(Struct, frozen=True):
    """What evidence there was. `truncated` names what was too long to be read whole."""

    request: bool = False
    plan: PlanCoverage = "none"
    context: ContextCoverage = "none"
    truncated: tuple[str, ...] = ()


class Signal(Struct, frozen=True):
    """One thing that speaks against the call.

    `check` names what was looked at (`plan.boolean`, `attribution.sentence`, `scale`, ...), `field`
    is a JSON Pointer into the action (`/action/arguments/is_refund`, `/action/tool`). `observed`
    is what the call says, `expected` what `source` (`request`, `plan`, `plan.text`, `schema`,
    `context:<id>`) says instead, or the sentence that explains the call. `trusted` is that
    source's provenance. `contribution` is how much it counted, 0 to 1; signals come with the
    largest first.
    """

    check: str
    field: str
    observed: Any
    expected: Any
    source: str
    trusted: bool
    contribution: float


class Assessment(Struct, frozen=True):
    """The answer of one version of the guard about one call.

    `score` is the calibrated probability, 0 to 1, that the call is not what was asked for; null
    when there was neither request nor plan. `raw` are the heads before calibration (log-odds), so
    that history can be calibrated anew without reading it again. `threshold` is the policy's.
    All numbers are rounded to six decimals.
    """

    score: float | None
    heads: Heads
    coverage: Coverage
    signals: tuple[Signal, ...]
    version: str
    raw: Heads = Heads()
    threshold: float | None = None
