"""The Intent Guard's answer, as the gateway's reply has it."""

from __future__ import annotations

from typing import Any

import msgspec


class Heads(msgspec.Struct, frozen=True):
    """The three part scores, 0 to 1; None where there was nothing to tell it from."""

    plan: float | None = None
    attribution: float | None = None
    consistency: float | None = None


class Coverage(msgspec.Struct, frozen=True):
    """What evidence there was. `plan` is none, text or structured; `context` none, trusted,
    untrusted or both; `truncated` names what was too long to be read whole."""

    request: bool = False
    plan: str = "none"
    context: str = "none"
    truncated: tuple[str, ...] = ()


class Signal(msgspec.Struct, frozen=True):
    """One thing that speaks against the call.

    `field` is a JSON Pointer into the check (`/action/arguments/is_refund`). `observed` is what
    the call says, `expected` what `source` (`request`, `plan`, `context:<id>`, ...) says instead,
    or the sentence that explains the call; `trusted` is that source's provenance. `contribution`
    is how much it counted, 0 to 1.
    """

    check: str
    field: str
    observed: Any = None
    expected: Any = None
    source: str = ""
    trusted: bool = False
    contribution: float = 0.0


class Assessment(msgspec.Struct, frozen=True):
    """`score` is the probability, 0 to 1, that the call is not what was asked for; None when
    there was neither request nor plan. `threshold` is the policy's, where it has one. The signal
    that counted most comes first."""

    score: float | None = None
    heads: Heads = Heads()
    coverage: Coverage = Coverage()
    signals: tuple[Signal, ...] = ()
    version: str = ""
    threshold: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the score is at the policy's threshold or above it."""
        if self.score is None or self.threshold is None:
            return False
        return self.score >= self.threshold
