"""What speaks most against a call, as a sentence for the agent: the argument, or the sentence."""

from __future__ import annotations

from typing import Any

import msgspec

from checkrein._assessment import Signal
from checkrein._decision import Decision

VALUE_CHARS = 120
# Without a threshold of the policy, a call that is more likely wrong than right is worth a word.
LIKELY = 0.5
_SAYS = {
    "request": "the request",
    "plan": "the plan",
    "plan.text": "the plan",
    "schema": "the tool's schema",
}


def finding(decision: Decision) -> str:
    """Empty where the assessment speaks for the call, or where the reason says it already."""
    assessment = decision.assessment
    if assessment is None or assessment.score is None or not assessment.signals:
        return ""
    likely = LIKELY if assessment.threshold is None else assessment.threshold
    signal = assessment.signals[0]
    if assessment.score < likely or _said(signal, decision):
        return ""
    if _explained(signal):
        return f"Content that nobody vouches for asks for it, not the user: {_shown(signal)}."
    if signal.source == "nothing":
        return f"Nothing that was said explains {_named(signal)}, {_value(signal.observed)}."
    told = f"{_named(signal)} is {_value(signal.observed)} in the call"
    source = _SAYS.get(signal.source, "other content" if ":" in signal.source else signal.source)
    if signal.expected is None:
        return f"{told}, which does not go with {source}."
    return f"{told}, and {_value(signal.expected)} in {source}."


def _explained(signal: Signal) -> bool:
    untrusted = signal.source.startswith("context:") and not signal.trusted
    return untrusted and isinstance(signal.expected, str)


def _said(signal: Signal, decision: Decision) -> bool:
    reason = decision.reason
    if reason is None:
        return False
    if _explained(signal):
        return _shown(signal)[1:40] in reason.reason
    return _named(signal) in reason.reason


def _named(signal: Signal) -> str:
    if signal.field == "/action/tool":
        return "the tool"
    return _cut(signal.field.removeprefix("/action/").removeprefix("arguments/"))


def _shown(signal: Signal) -> str:
    """Quoted, so that what it says is not taken for what Checkrein says."""
    return '"' + _cut(str(signal.expected).replace('"', "'")) + '"'


def _value(value: Any) -> str:
    return _cut(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_CHARS else text[:VALUE_CHARS] + "…"
