"""What a model answered: its text, the calls that it proposes, why it ended, and what it used."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.replay.lineage.model_answers import ToolCall, tool_calls
from gateway.replay.reexecute.recorded import Api, RecordedCall
from gateway.replay.reexecute.troubles import Unreadable

CALLS_MAX: Final = 64
TEXT_CHARS: Final = 256 * 1024


class Tokens(Struct, frozen=True):
    """Tokens of one call; `cached_tokens` are among the `input_tokens`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0


class Answered(Struct, frozen=True):
    """One answer, recorded or new. `answer` is in the provider's form."""

    answer: Any
    text: str
    calls: tuple[ToolCall, ...]
    model: str | None
    finish_reason: str | None
    used: Tokens | None
    error: str | None = None


def recorded_answer(call: RecordedCall) -> Answered:
    """What was answered then."""
    used = call.body.get("usage")
    return Answered(
        answer=call.answer,
        text=text_of(call.answer),
        calls=tuple(tool_calls(call.answer)[:CALLS_MAX]),
        model=call.body.get("response_model"),
        finish_reason=call.body.get("finish_reason"),
        used=msgspec.convert(used, Tokens) if isinstance(used, dict) else None,
        error=call.error,
    )


def new_answer(api: Api, data: bytes) -> Answered:
    """What the endpoint says now. Raises Unreadable."""
    try:
        whole = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Unreadable("the endpoint's answer is no JSON object") from error
    answer, ended = _READ[api](whole)
    if answer is None:
        raise Unreadable("the endpoint's answer holds no message of its protocol")
    return Answered(
        answer=answer,
        text=text_of(answer),
        calls=tuple(tool_calls(answer)[:CALLS_MAX]),
        model=_word(whole.get("model")),
        finish_reason=_word(ended),
        used=_used(whole.get("usage")),
    )


def text_of(answer: Any) -> str:
    """The words of an answer in whatever form, without those of its thoughts."""
    texts: list[str] = []
    _texts(answer, texts, 0)
    return "\n".join(texts)[:TEXT_CHARS]


def _texts(value: Any, found: list[str], depth: int) -> None:
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, list) and depth < 6:
        for one in value[:4096]:
            _texts(one, found, depth + 1)
    elif isinstance(value, dict) and value.get("type", "text") in _SAID:
        for name in ("text", "content", "refusal"):
            if value.get(name) is not None:
                _texts(value[name], found, depth + 1)


_SAID: Final = frozenset({"text", "output_text", "message", "refusal"})


def _chat(whole: dict[str, Any]) -> tuple[Any, Any]:
    choices = whole.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
        return None, None
    return first["message"], first.get("finish_reason")


def _responses(whole: dict[str, Any]) -> tuple[Any, Any]:
    output = whole.get("output")
    why = whole.get("incomplete_details")
    ended = why.get("reason") if isinstance(why, dict) else whole.get("status")
    return (output if isinstance(output, list) else None), ended


def _messages(whole: dict[str, Any]) -> tuple[Any, Any]:
    blocks = whole.get("content")
    if not isinstance(blocks, list):
        return None, None
    return {"role": "assistant", "content": blocks}, whole.get("stop_reason")


_READ: Final = {"chat_completions": _chat, "responses": _responses, "messages": _messages}


def _used(given: Any) -> Tokens | None:
    """In each provider's words. Anthropic tells cached tokens beside the others."""
    if not isinstance(given, dict):
        return None
    details = given.get("prompt_tokens_details") or given.get("input_tokens_details")
    inside = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    beside = _count(given.get("cache_read_input_tokens"))
    written = _count(given.get("cache_creation_input_tokens"))
    sent = _count(given.get("prompt_tokens", given.get("input_tokens")))
    answered = _count(given.get("completion_tokens", given.get("output_tokens")))
    return Tokens(sent + beside + written, answered, inside + beside)


def _count(value: Any) -> int:
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**50
    return value if known else 0


def _word(value: Any) -> str | None:
    return value[:256] if isinstance(value, str) else None
