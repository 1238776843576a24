"""Observations as they go over the wire: plain, masked, within the size limit, encoded once.

What identifies or counts is left as it is; everything that can hold what an agent or a person wrote
is masked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from checkrein._ids import now
from checkrein._masking import Masker
from checkrein._names import digest, identifier, media_type, token
from checkrein._plain import Plainer
from checkrein._sizes import EVENT_BYTES, MODEL_CALL_BYTES, fit

_NAMES = frozenset({"name", "label", "tool", "id", "response_model"})
_IDS = ("turn_id", "action_id", "parent_id", "child_run_id", "decision_id", "to_agent")
# One value that the gateway refuses would take a whole batch with it.
_FITTING: dict[str, Callable[[object], str]] = {
    **dict.fromkeys(_IDS, identifier),
    **dict.fromkeys(("role", "provider", "prompt_version", "finish_reason", "api", "key"), token),
    **dict.fromkeys(("digest", "arguments_digest"), digest),
    "media_type": media_type,
}
_EVIDENCE = frozenset(
    {
        *("tool", "to_agent", "provider", "prompt_version", "media_type", "role"),
        *("id", "turn_id", "action_id", "parent_id", "child_run_id", "decision_id"),
        *("status", "trusted", "usage", "cost", "duration_ns", "size", "kind", "side_effects"),
        *("digest", "arguments_digest"),
        *("key", "continues", "api", "response_model", "finish_reason"),
    }
)
# A model's conversation is the largest thing that one event holds.
_ROOM = {"model_call": MODEL_CALL_BYTES}
_NODES = {"messages": 6000, "tools": 5000}


class Event(NamedTuple):
    """An encoded observation with what it weighs: bytes, and values for the gate's node limit."""

    raw: msgspec.Raw
    size: int
    nodes: int


def make(kind: str, client_seq: int, masker: Masker, fields: dict[str, Any]) -> Event:
    """The event `kind` with these fields; fields that are None are left out."""
    given = {name: value for name, value in fields.items() if value is not None}
    body: dict[str, Any] = {"type": kind, "client_seq": client_seq, "occurred_at": now()}
    content: dict[str, Any] = {}
    nodes = 8
    for name, value in given.items():
        plain = Plainer(max_nodes=_NODES.get(name, 3000))(value)
        nodes += plain.nodes
        body[name] = plain.value
        if name not in _EVIDENCE:
            content[name] = masker.value(plain.value)
        if name in _FITTING:
            body[name] = _FITTING[name](value)
    body |= _fitted(content, _ROOM.get(kind, EVENT_BYTES))
    for name in _NAMES & body.keys():
        body[name] = body[name][:256] if isinstance(body[name], str) else body[name]
    encoded = msgspec.json.encode(body)
    return Event(msgspec.Raw(encoded), len(encoded), nodes)


def _fitted(content: dict[str, Any], room: int) -> dict[str, Any]:
    """Each field cut to its share of the room; what small ones leave over is for the large."""
    sizes = {name: len(msgspec.json.encode(value)) for name, value in content.items()}
    fitted: dict[str, Any] = {}
    for place, name in enumerate(sorted(sizes, key=sizes.__getitem__)):
        share = room // (len(sizes) - place)
        fitted[name] = fit(content[name], share)[0]
        room -= min(sizes[name], share)
    return fitted
