"""What a model answered, read from its provider's whole answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from checkrein._plain import Plainer
from checkrein.clients._requests import CHAT, MESSAGES, RESPONSES


class Told(NamedTuple):
    """`answer` is the message, or the items, in the provider's own form. `usage` counts tokens:
    `input_tokens` with those that came from a cache."""

    answer: Any
    finish_reason: str | None = None
    usage: dict[str, int] | None = None
    response_model: str | None = None
    reasoning: str | None = None
    error: str | None = None


def plain(answer: Any) -> Any:
    """An answer as dictionaries, whatever object a client made of it."""
    dump = getattr(answer, "model_dump", None)
    if dump is None:
        return answer if isinstance(answer, Mapping) else Plainer()(answer).value
    try:
        return dump(mode="json", exclude_none=True, warnings=False)
    except TypeError:
        return dump(mode="json", exclude_none=True)


def read(api: str, answer: Any) -> Told:
    """Whatever was answered: what is not as expected is the answer as it is, and never raises."""
    whole = plain(answer)
    if not isinstance(whole, Mapping):
        return Told(whole)
    told = _READ[api](whole)
    return told._replace(response_model=_word(whole, "model"))


def _chat(whole: Mapping[str, Any]) -> Told:
    choices = [one for one in _items(whole, "choices") if isinstance(one, Mapping)]
    messages = [_without(one.get("message"), "parsed") for one in choices]
    used = _object(whole, "usage")
    return Told(
        answer=messages[0] if len(messages) == 1 else messages,
        finish_reason=_word(choices[0], "finish_reason") if choices else None,
        usage=_usage(
            used,
            _count(used, "prompt_tokens"),
            _count(used, "completion_tokens"),
            _count(_object(used, "prompt_tokens_details"), "cached_tokens"),
        ),
        reasoning=_word(messages[0], "reasoning_content") if messages else None,
    )


def _responses(whole: Mapping[str, Any]) -> Told:
    used = _object(whole, "usage")
    output = [_without(one, "parsed") for one in _items(whole, "output")]
    why = _word(_object(whole, "incomplete_details"), "reason")
    return Told(
        answer=output,
        finish_reason=why or _word(whole, "status"),
        usage=_usage(
            used,
            _count(used, "input_tokens"),
            _count(used, "output_tokens"),
            _count(_object(used, "input_tokens_details"), "cached_tokens"),
        ),
        reasoning=_joined(_summaries(output)),
        error=_word(_object(whole, "error"), "message"),
    )


def _messages(whole: Mapping[str, Any]) -> Told:
    used = _object(whole, "usage")
    cached = _count(used, "cache_read_input_tokens")
    read_anew = _count(used, "input_tokens") + _count(used, "cache_creation_input_tokens")
    blocks = [_without(one, "parsed_output") for one in _items(whole, "content")]
    thought = (block.get("thinking") for block in blocks if isinstance(block, Mapping))
    return Told(
        answer={"role": whole.get("role", "assistant"), "content": blocks},
        finish_reason=_word(whole, "stop_reason"),
        usage=_usage(used, read_anew + cached, _count(used, "output_tokens"), cached),
        reasoning=_joined(text for text in thought if isinstance(text, str)),
    )


_READ: dict[str, Callable[[Mapping[str, Any]], Told]] = {
    CHAT: _chat,
    RESPONSES: _responses,
    MESSAGES: _messages,
}


def _usage(
    given: Mapping[str, Any], sent: int, answered: int, cached: int
) -> dict[str, int] | None:
    if not given:
        return None
    used = {"input_tokens": sent, "output_tokens": answered}
    return {**used, "cached_tokens": cached} if cached else used


def _summaries(output: list[Any]) -> Iterator[str]:
    for item in output:
        if isinstance(item, Mapping) and item.get("type") == "reasoning":
            for part in _items(item, "summary"):
                text = _word(part, "text")
                if text:
                    yield text


def _joined(texts: Iterator[str]) -> str | None:
    return "\n".join(texts) or None


def _without(value: Any, name: str) -> Any:
    """Without what a client worked out of the answer: it is no part of it. Two levels deep."""
    if not isinstance(value, Mapping):
        return value
    kept = {key: one for key, one in value.items() if key not in (name, "parsed_arguments")}
    for inside in ("content", "tool_calls"):
        if isinstance(kept.get(inside), list):
            kept[inside] = [_without(one, name) for one in kept[inside]]
    if isinstance(kept.get("function"), Mapping):
        kept["function"] = _without(kept["function"], name)
    return kept


def _items(value: Any, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, list) else []


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _word(value: Any, name: str) -> str | None:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) and found else None


def _count(value: Mapping[str, Any], name: str) -> int:
    found = value.get(name)
    return found if isinstance(found, int) and 0 <= found < 2**53 else 0
