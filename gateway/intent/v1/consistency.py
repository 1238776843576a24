"""Consistency: does each value, verb, sign, role and reach of the call go with the request?

Nothing here asks where a value came from for its own sake; the attribution head does. What is
looked for is a slip: a flag turned round, an amount scaled, a name mistyped, an opposite tool.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from gateway.intent.assessment import Signal
from gateway.intent.evidence import Evidence
from gateway.intent.v1 import (
    consistency_acts,
    consistency_direction,
    consistency_fit,
    consistency_grounding,
    consistency_roles,
    consistency_scope,
    consistency_slips,
)
from gateway.intent.v1.consistency_view import signal, view_of

MOST_SIGNALS: Final = 12

#: The features of the consistency head and how each may move the score.
FEATURES: Final[dict[str, int]] = {
    **consistency_grounding.FEATURES,
    **consistency_slips.FEATURES,
    **consistency_direction.FEATURES,
    **consistency_roles.FEATURES,
    **consistency_scope.FEATURES,
    **consistency_fit.FEATURES,
    **consistency_acts.FEATURES,
    "strongest": 1,
    "second": 1,
    "strongest_said": 1,
}


class Consistency(Struct, frozen=True):
    """The features, each of `FEATURES` once and between 0 and 1, and what to show for them."""

    features: dict[str, float]
    signals: list[Signal]
    truncated: tuple[str, ...] = ()


def look(evidence: Evidence) -> Consistency:
    """Look for slips in a call; the same evidence gives the same answer."""
    view = view_of(evidence)
    found = consistency_grounding.grounds(view)
    features = dict.fromkeys(FEATURES, 0.0)
    features |= consistency_grounding.features_of(found)
    signals = consistency_grounding.signals_of(found)
    slips, of_slips = consistency_slips.slips(view, found)
    features |= of_slips
    signals += [
        signal(each.check, each.leaf.pointer, each.leaf.value, each.expected, each.strength)
        for each in slips
    ]
    flags, of_flags, asked = consistency_direction.flag_checks(view)
    for more, numbers in (
        (flags, of_flags),
        consistency_roles.role_checks(view),
        consistency_scope.scope_checks(view, found, asked),
        consistency_fit.fit_checks(view, found, asked),
    ):
        signals += more
        features |= numbers
    ranked = _ranked(signals)
    features |= consistency_acts.act_checks(view)
    features["strongest"] = ranked[0].contribution if ranked else 0.0
    features["second"] = ranked[1].contribution if len(ranked) > 1 else 0.0
    features["strongest_said"] = max(
        (each.contribution for each in ranked if each.source != "nothing"), default=0.0
    )
    rounded = {
        name: round(value, 6) if 0.0 < value < 1.0 else float(value >= 1.0)
        for name, value in features.items()
    }
    return Consistency(rounded, ranked[:MOST_SIGNALS])


def _ranked(signals: Iterable[Signal]) -> list[Signal]:
    """The signals with the largest first, each check once for each field."""
    best: dict[tuple[str, str], Signal] = {}
    for each in signals:
        known = best.get((each.check, each.field))
        if known is None or each.contribution > known.contribution:
            best[each.check, each.field] = each
    return sorted(best.values(), key=lambda each: (-each.contribution, each.check, each.field))
