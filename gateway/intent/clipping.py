"""Signals short enough to be kept with every decision, whatever was assessed."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from gateway.intent.assessment import Assessment, Signal

SIGNALS_MAX: Final = 16
TEXT_CHARS: Final = 400
NAME_CHARS: Final = 400
CUT: Final = "…"


def clipped(assessment: Assessment) -> Assessment:
    """The same with its first signals, and their texts cut where they are long."""
    signals = tuple(_clipped(signal) for signal in assessment.signals[:SIGNALS_MAX])
    return replace(assessment, signals=signals)


def _clipped(signal: Signal) -> Signal:
    return replace(
        signal,
        check=_text(signal.check, NAME_CHARS),
        field=_text(signal.field, NAME_CHARS),
        source=_text(signal.source, NAME_CHARS),
        observed=_value(signal.observed),
        expected=_value(signal.expected),
    )


def _value(value: Any) -> Any:
    """Texts are cut; what holds others becomes the beginning of its JSON when it is long."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _text(value, TEXT_CHARS)
    written = msgspec.json.encode(value).decode()
    return value if len(written) <= TEXT_CHARS else _text(written, TEXT_CHARS)


def _text(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + CUT
