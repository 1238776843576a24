"""A real evaluator, as small as one can be: the call against its structured plan.

Words in the request make it misbehave, so that a test can see what becomes of that.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from gateway.intent.assessment import Assessment, Coverage, Heads, Signal
from gateway.intent.evidence import Evidence

VERSION = "plan-only-1"


class Evaluator:
    def __init__(self, version: str) -> None:
        self.version = version

    def assess(self, evidence: Evidence) -> Assessment:
        _misbehave(evidence.request or "")
        planned = evidence.plan_arguments or {}
        signals = tuple(
            Signal(
                check="plan.value",
                field=f"/action/arguments/{name}",
                observed=evidence.arguments.get(name),
                expected=wanted,
                source="plan",
                trusted=True,
                contribution=0.9,
            )
            for name, wanted in planned.items()
            if evidence.arguments.get(name) != wanted
        )
        score = (0.97 if signals else 0.03) if evidence.given else None
        score = _UNSOUND.get(evidence.request or "", score)
        plan = score if planned else None
        raw = None if plan is None else round(3.476099 * (1 if signals else -1), 6)
        return Assessment(
            score=score,
            heads=Heads(plan=plan),
            coverage=Coverage(bool(evidence.request), "structured" if planned else "none"),
            signals=signals,
            version="another" if evidence.request == "renamed" else self.version,
            raw=Heads(plan=raw),
        )


def load(version: str | None = None) -> Evaluator:
    if version == "missing":
        raise LookupError("no model has the version missing")
    return Evaluator(version or VERSION)


def _misbehave(request: str) -> None:
    for word, deed in _DEEDS.items():
        if word in request:
            deed()


def _spin() -> None:
    while True:
        pass


def _spin_and_swallow() -> None:
    for _ in range(10_000_000):
        try:
            "".join(("a", "b"))
        except Exception:  # noqa: BLE001 - what must not stop the interruption
            continue


def _nonsense() -> None:
    raise ValueError("cannot make sense of it")


_UNSOUND = {"above one": 1.5, "no number": float("nan"), "below": -0.1}
_hoard: list[bytearray] = []
_DEEDS: dict[str, Callable[[], object]] = {
    "sleep": lambda: time.sleep(60),
    "spin": _spin,
    "swallow": _spin_and_swallow,
    "exit": lambda: os._exit(3),
    # The socket's number is what the child was told.
    "garbage": lambda: os.write(
        int(sys.argv[2]), b"\x00\x00\x00\x02\x01\x00\x00\x00\x00\x00\x00!!"
    ),
    "unreadable": lambda: os.write(int(sys.argv[2]), b"no reply at all"),
    "nonsense": _nonsense,
    "remember": lambda: _hoard.append(bytearray(64 << 20)),
    "memory": lambda: _hoard.append(bytearray(4 << 30)),
}
