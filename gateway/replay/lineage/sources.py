"""What may be said before a call, and the call with all that was: where the record has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from gateway.domain import pointers
from gateway.replay.lineage.model_answers import ToolCall

Station = Literal[
    "system", "request", "handoff", "content", "plan", "reasoning", "model", "call", "policy"
]
TEXT_CHARS: Final = 16_384
_LINES_MAX: Final = 400
_NAME_CHARS: Final = 256


class Source(Struct, frozen=True):
    """Something that was said before the call, and where the record has it.

    `part` is a JSON Pointer into the content of frame `seq`. Structured sources have `arguments`.
    `name` is what the content was called; `trusted` what its sender said of it. `run_id` is the run
    above that has it, None for the call's own.
    """

    station: Station
    seq: int
    part: str
    text: str | None = None
    arguments: dict[str, Any] | None = None
    tool: str | None = None
    name: str | None = None
    trusted: bool = True
    run_id: str | None = None


class Passed(Struct, frozen=True):
    """Work that was passed on: in a run above, or from one agent to another in the same run.

    `case` is what was known when it was; its call is the one that passed it on, and `words` are
    what that said. Without `words` it is not known what was said.
    """

    case: Case
    words: Source | None


class Case(Struct, frozen=True):
    """A decided call with everything that came before it.

    `model` is the answer that proposed it; `model_calls` counts the answers that were recorded.
    `gone` names content that was erased or changed. `stale`: the plan is for a tool that had been
    called already, so it says nothing of this call. `unread` frames and `unread_content` were
    left out, because there were too many. `capture` says how far each boundary was watched.
    `reasoning` is what the model said before the call. `handed` are the hand-offs of this run,
    `above` the runs that passed the work on, the nearest first; of which `lost` are not to be had.
    """

    decision_id: str
    action_id: str
    seq: int
    tool: str
    arguments: dict[str, Any]
    changed: dict[str, Any] | None
    description: str | None
    schema: dict[str, Any] | None
    verdict: str
    enforced: str
    request: tuple[Source, ...]
    content: tuple[Source, ...]
    plan: tuple[Source, ...]
    model: Source | None
    model_calls: int
    gone: tuple[str, ...]
    stale: bool = False
    side_effects: tuple[str, ...] = ()
    unread: int = 0
    unread_content: int = 0
    capture: dict[str, str] = {}
    system: tuple[Source, ...] = ()
    reasoning: tuple[Source, ...] = ()
    handed: tuple[Passed, ...] = ()
    above: tuple[Passed, ...] = ()
    lost: tuple[str, ...] = ()
    recorded_at: str = ""
    run_id: str | None = None


def place_of(source: Source) -> tuple[int, str]:
    return source.seq, source.part


def spelled(value: Any) -> str:
    """An output as text: lines of `name: value`, so that a value stands beside its label."""
    if value is None or isinstance(value, str):
        return (value or "")[:TEXT_CHARS]
    lines: list[str] = []
    chars = 0
    stack = [_below("", value)]
    while stack and len(lines) < _LINES_MAX and chars < TEXT_CHARS:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
            continue
        name, each = found
        if isinstance(each, dict | list):
            stack.append(_below(name, each))
            continue
        written = each if isinstance(each, str) else msgspec.json.encode(each).decode()
        lines.append(f"{name}: {written}" if name else written)
        chars += len(lines[-1])
    return "\n".join(lines)[:TEXT_CHARS]


def _below(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What stands in a value, under names that are made when they are asked for."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield f"{name} {key}".strip()[:_NAME_CHARS], each
    else:
        for each in value if isinstance(value, list) else (value,):
            yield name, each


def text_of(observed: dict[str, Any], name: str) -> str:
    text = observed.get(name)
    return text[:TEXT_CHARS] if isinstance(text, str) else ""


def proposed(seq: int, call: ToolCall) -> Source:
    part = "/observation/answer" + pointers.write(call.steps)
    return Source("model", seq, part, None, call.arguments, call.name)
