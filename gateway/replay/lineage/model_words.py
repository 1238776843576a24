"""What a model was told, and what it said beside its calls: its thoughts, whatever their shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gateway.domain import pointers
from gateway.replay.lineage.model_answers import proposes
from gateway.replay.lineage.sources import TEXT_CHARS, Source, spelled

_NODES: Final = 1_000
_DEEP: Final = 10
_MESSAGES_MAX: Final = 5_000
_SYSTEM_MAX: Final = 4
_THOUGHTS_MAX: Final = 8
_OPERATOR: Final = ("system", "developer")
_THOUGHTS: Final = ("thinking", "reasoning_content", "reasoning", "text", "content")


def told_to(seq: int, observed: dict[str, Any]) -> Iterator[Source]:
    """The system prompt, the last words of the user, and the tool outputs a model was given."""
    messages = observed.get("messages")
    yield from _system(seq, observed)
    user: Source | None = None
    for place, message in enumerate(messages if isinstance(messages, list) else ()):
        if not isinstance(message, dict):
            continue
        part = f"/observation/messages/{place}/content"
        blocks = message.get("content")
        if message.get("role") in ("tool", "function"):
            yield Source("content", seq, part, spelled(blocks), name="tool output", trusted=False)
        elif isinstance(blocks, str):
            user = Source("request", seq, part, blocks[:TEXT_CHARS]) if _is_user(message) else user
        for at, block in enumerate(blocks if isinstance(blocks, list) else ()):
            if not isinstance(block, dict):
                continue
            inside = f"{part}/{at}"
            if block.get("type") == "tool_result":
                text = spelled(block.get("content"))
                name = "tool output"
                yield Source("content", seq, f"{inside}/content", text, name=name, trusted=False)
            elif isinstance(block.get("text"), str) and _is_user(message):
                user = Source("request", seq, f"{inside}/text", block["text"][:TEXT_CHARS])
    if user is not None:
        yield user


def thoughts(seq: int, observed: dict[str, Any]) -> tuple[Source, ...]:
    """The model's own words of an answer: its reasoning, and what it wrote beside its calls."""
    found: dict[str, Source] = {}
    given = observed.get("reasoning")
    if isinstance(given, str) and given.strip():
        found[given[:TEXT_CHARS]] = thought(seq, "/observation/reasoning", given)
    for steps, text in _words(observed.get("answer"), (), [_NODES]):
        part = "/observation/answer" + pointers.write(steps)
        found.setdefault(text[:TEXT_CHARS], thought(seq, part, text))
        if len(found) >= _THOUGHTS_MAX:
            break
    return tuple(found.values())


def thought(seq: int, part: str, text: str) -> Source:
    return Source("reasoning", seq, part, text[:TEXT_CHARS], trusted=False)


def _system(seq: int, observed: dict[str, Any]) -> Iterator[Source]:
    left = _SYSTEM_MAX
    text = observed.get("system")
    if isinstance(text, str) and text.strip():
        left -= 1
        yield Source("system", seq, "/observation/system", text[:TEXT_CHARS])
    messages = observed.get("messages")
    for place, message in enumerate(messages[:_MESSAGES_MAX] if isinstance(messages, list) else ()):
        if not isinstance(message, dict) or message.get("role") not in _OPERATOR:
            continue
        text = spelled(message.get("content"))
        if text.strip() and left > 0:
            left -= 1
            yield Source("system", seq, f"/observation/messages/{place}/content", text)


def _words(
    value: Any, steps: tuple[str, ...], left: list[int]
) -> Iterator[tuple[tuple[str, ...], str]]:
    left[0] -= 1
    if left[0] < 0 or len(steps) > _DEEP:
        return
    if isinstance(value, str) and not steps:
        yield steps, value
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _words(item, (*steps, str(place)), left)
    elif isinstance(value, dict) and not proposes(value):
        for key, item in value.items():
            if isinstance(item, str) and key in _THOUGHTS and item.strip():
                yield (*steps, str(key)), item
            elif isinstance(item, dict | list):
                yield from _words(item, (*steps, str(key)), left)


def _is_user(message: dict[str, Any]) -> bool:
    return message.get("role") == "user"
