"""What a model is asked, read from the body that a client sends.

| api | system prompt | conversation |
| --- | --- | --- |
| `chat_completions` | a message of the conversation | `messages` |
| `responses` | `instructions` | `input`, text or items |
| `messages` (Anthropic) | `system`, text or blocks | `messages` |

Everything else but the tools is a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from checkrein._plain import Plainer

NODES = 20_000
# Objects of a library stand no deeper than in the blocks of a tool's output.
DEPTH = 6
CHAT, RESPONSES, MESSAGES = "chat_completions", "responses", "messages"
_SYSTEM = {RESPONSES: "instructions", MESSAGES: "system"}
# Transport, or told apart: no parameter of the model.
_OTHER = frozenset({"model", "messages", "input", "tools", "stream", "stream_options"})


class ModelRequest(NamedTuple):
    """One call of a model: the body as it goes over the wire, and in whose form it is."""

    provider: str
    api: str
    body: Mapping[str, Any]
    streaming: bool


class Given(NamedTuple):
    """What the model was given, as the record has it."""

    model: str | None
    system: str | None
    messages: list[Any]
    tools: list[Any]
    parameters: dict[str, Any]


def read(request: ModelRequest) -> Given:
    """Whatever was sent: what is not as expected is kept as it is, and never raises."""
    # A copy: whoever asked goes on writing into the conversation.
    body = {name: Plainer(NODES)(_sent(value, 0)).value for name, value in request.body.items()}
    system = _SYSTEM.get(request.api, "")
    model = body.get("model")
    said = body.get("input" if request.api == RESPONSES else "messages")
    return Given(
        model=model if isinstance(model, str) else None,
        system=_text(body.get(system)),
        messages=_messages(said),
        tools=_list(body.get("tools")),
        parameters={
            name: value for name, value in body.items() if name != system and name not in _OTHER
        },
    )


def _sent(value: Any, depth: int) -> Any:
    """With the libraries' own objects as they go over the wire: an answer that is handed back as a
    message has what the provider gave, and none of what its class could have besides."""
    if depth > DEPTH:
        return value
    if isinstance(value, Mapping):
        return {name: _sent(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_sent(one, depth + 1) for one in value]
    dump = getattr(type(value), "model_dump", None)
    if dump is None:
        return value
    left_out = getattr(value, "__api_exclude__", None)
    return dump(value, exclude_unset=True, mode="json", by_alias=True, exclude=left_out)


def _messages(said: Any) -> list[Any]:
    return [{"role": "user", "content": said}] if isinstance(said, str) else _list(said)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _text(system: Any) -> str | None:
    if system is None or isinstance(system, str):
        return system
    texts = [block.get("text") for block in system if isinstance(block, Mapping)]
    return "\n".join(text for text in texts if isinstance(text, str))
