"""The request that goes to the endpoint: what was recorded, with the changes that were wanted.

No tool runs. The calls that a model proposes are only read; tools that its provider would run by
itself (a search, code) are left out, and so is what would keep or continue something there.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.replay.reexecute.recorded import Api, RecordedCall
from gateway.replay.reexecute.troubles import Incomplete

# What a provider runs, keeps or goes on with by itself.
_LEFT_OUT: Final = frozenset(
    {
        *("stream", "stream_options", "store", "background", "web_search_options"),
        *("mcp_servers", "container", "conversation", "metadata"),
    }
)
# Tools whose calls go back to the caller, who does not run them here.
_CALLERS: Final = frozenset({None, "function", "custom", "local_shell", "apply_patch"})
_CALLERS_TOO: Final = ("bash_", "text_editor_", "computer_", "memory_")
_MASKED: Final = re.compile(r"\[(?:email|card|api_key|phone|jwt|private_key|redacted):[0-9a-f]{10}")
_CUT: Final = re.compile(r"…\[cut: |\[left out: |\"\[cut\]\"|\[cut: ")
_SYSTEM: Final = ("system", "developer")


class Changes(Struct, frozen=True):
    """What is to be otherwise. A parameter that is null is left out."""

    model: str | None = None
    system: str | None = None
    messages: list[Any] | None = None
    parameters: dict[str, Any] = {}

    @property
    def none(self) -> bool:
        return self == Changes()


class Asked(Struct, frozen=True):
    """`body` is sent as it is. `notes` say in what it is not what the model was given then."""

    body: dict[str, Any]
    notes: tuple[str, ...]


def request_of(call: RecordedCall, changes: Changes) -> Asked:
    """The body in the form of the call's own protocol. Raises Incomplete."""
    model = changes.model or call.model
    if model is None:
        raise Incomplete("the model's name was not recorded, and none is given")
    if call.parameters.get("previous_response_id") or call.parameters.get("conversation"):
        raise Incomplete("the provider held a part of the conversation, so it was not recorded")
    messages = call.messages if changes.messages is None else changes.messages
    if not messages:
        raise Incomplete("no messages were recorded")
    tools = [tool for tool in call.tools if _is_callers(tool)]
    parameters = {**call.parameters, **changes.parameters}
    body = {
        "model": model,
        **_conversation(call, changes, messages),
        **({"tools": tools} if tools else {}),
        **{
            name: value
            for name, value in parameters.items()
            if value is not None and name not in _LEFT_OUT and name not in _OWN
        },
        **({"store": False} if call.api == "responses" else {}),
    }
    return Asked(body, tuple(_notes(call, body, parameters, len(call.tools) - len(tools))))


# Said by other members of the body, and by no parameter.
_OWN: Final = frozenset({"model", "messages", "input", "instructions", "system", "tools"})


def _conversation(call: RecordedCall, changes: Changes, messages: list[Any]) -> dict[str, Any]:
    system = call.system if changes.system is None else changes.system
    if call.api == "chat_completions":
        return {"messages": _with_system(messages, call.system, changes.system)}
    if call.api == "responses":
        return {"input": messages, **({} if system is None else {"instructions": system})}
    return {"messages": messages, **({} if system is None else {"system": system})}


def _with_system(messages: list[Any], recorded: str | None, wanted: str | None) -> list[Any]:
    """In chats the system prompt is a message: the first one of its role is the one replaced."""
    text = recorded if wanted is None else wanted
    place = next((n for n, one in enumerate(messages) if _role(one) in _SYSTEM), None)
    if text is None or (wanted is None and place is not None):
        return messages
    if place is None:
        return [{"role": "system", "content": text}, *messages]
    replaced = {**messages[place], "content": text}
    return [*messages[:place], replaced, *messages[place + 1 :]]


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


def _is_callers(tool: Any) -> bool:
    kind = tool.get("type") if isinstance(tool, dict) else None
    return kind in _CALLERS or (isinstance(kind, str) and kind.startswith(_CALLERS_TOO))


def _notes(
    call: RecordedCall, body: dict[str, Any], parameters: dict[str, Any], left: int
) -> list[str]:
    text = msgspec.json.encode(body).decode()
    notes = []
    if left:
        notes.append(f"{left} tools that the provider runs itself are left out")
    out = sorted(name for name in parameters.keys() & _LEFT_OUT if parameters[name] is not None)
    if out:
        notes.append(f"left out: {', '.join(out)}")
    if _MASKED.search(text):
        notes.append("what was masked when it was recorded is sent as its token")
    if _CUT.search(text):
        notes.append("some of it was cut when it was recorded")
    if call.body.get("status") in ("failed", "abandoned"):
        notes.append(f"the recorded call {call.body['status']}, so its answer is not whole")
    return notes


def path_of(api: Api) -> str:
    """Where the endpoint takes such requests, behind its base URL."""
    paths = {"chat_completions": "/chat/completions", "responses": "/responses"}
    return paths.get(api, "/v1/messages")
