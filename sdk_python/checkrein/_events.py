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
from checkrein._sizes import EVENT_BYTES, fit

_NAMES = frozenset({"name", "label", "tool"})
_IDS = ("turn_id", "action_id", "parent_id", "child_run_id", "decision_id", "to_agent")
# One value that the gateway refuses would take a whole batch with it.
_FITTING: dict[str, Callable[[object], str]] = {
    **dict.fromkeys(_IDS, identifier),
    **dict.fromkeys(("role", "provider", "prompt_version"), token),
    **dict.fromkeys(("digest", "arguments_digest"), digest),
    "media_type": media_type,
}
_EVIDENCE = frozenset(
    {
        *("tool", "to_agent", "provider", "prompt_version", "media_type", "role"),
        *("id", "turn_id", "action_id", "parent_id", "child_run_id", "decision_id"),
        *("status", "trusted", "usage", "cost", "duration_ns", "size", "kind", "side_effects"),
        *("digest", "arguments_digest"),
    }
)


class Event(NamedTuple):
    """An encoded observation with what it weighs: bytes, and values for the gate's node limit."""

    raw: msgspec.Raw
    size: int
    nodes: int


def make(kind: str, client_seq: int, masker: Masker, fields: dict[str, Any]) -> Event:
    """The event `kind` with these fields; fields that are None are left out."""
    given = {name: value for name, value in fields.items() if value is not None}
    contents = max(1, sum(1 for name in given if name not in _EVIDENCE))
    body: dict[str, Any] = {"type": kind, "client_seq": client_seq, "occurred_at": now()}
    nodes = 8
    for name, value in given.items():
        plain = Plainer(max_nodes=3000)(value)
        nodes += plain.nodes
        if name in _EVIDENCE:
            body[name] = plain.value
        else:
            body[name] = fit(masker.value(plain.value), EVENT_BYTES // contents)[0]
        if name in _FITTING:
            body[name] = _FITTING[name](value)
        elif name in _NAMES and isinstance(body[name], str):
            body[name] = body[name][:256]
    encoded = msgspec.json.encode(body)
    return Event(msgspec.Raw(encoded), len(encoded), nodes)
