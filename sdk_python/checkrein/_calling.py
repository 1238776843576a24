"""What surrounds a call and is not among its arguments: the provider's id of it, the MCP parties,
and for callers without a run what happened before.

Kept in a context variable, like the current run: it follows `await` and tasks, and not new threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, Final

import msgspec

from checkrein._masking import Masker
from checkrein._names import identifier, name
from checkrein._plain import Plainer
from checkrein._sizes import HISTORY_BYTES, fit

ITEMS_MAX = 256
ITEM_BYTES = 2048
OUTCOME_CHARS = 256
# Beside the arguments of a call, all of this must leave room within the gateway's node limit.
ITEM_NODES = 200
HISTORY_NODES = 1100

_FIELDS = frozenset({"tool", "arguments", "outcome"})


class Surroundings(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of the calls inside a `calling(...)`. The history is as it was given: masked when sent."""

    call_id: str | None = None
    mcp: dict[str, str] = {}
    history: tuple[dict[str, Any], ...] = ()


_NONE: Final = Surroundings()
_current: ContextVar[Surroundings] = ContextVar("checkrein_calling", default=_NONE)


@contextmanager
def calling(
    call_id: str | None = None,
    *,
    mcp_client: str | None = None,
    mcp_server: str | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
) -> Iterator[None]:
    """Say what the guarded calls inside belong to. Inside another one, only what is given changes.

    call_id      the id that the model's provider gave to the tool call
    mcp_client   who speaks the Model Context Protocol, and with which server
    mcp_server
    history      for calls outside of a run: what was called before, oldest first, each
                 {"tool", "arguments", "outcome"}; rules that look at a run's last actions look at
                 these. The newest 256 are sent. Within a run the gateway remembers by itself
    """
    outer = _current.get()
    parties = {"client": mcp_client, "server": mcp_server}
    token = _current.set(
        Surroundings(
            call_id=outer.call_id if call_id is None else identifier(call_id) or None,
            mcp={**outer.mcp, **mcp_parties(parties)},
            history=outer.history if history is None else _past(history),
        )
    )
    try:
        yield
    finally:
        _reset(token, outer)


def surroundings() -> Surroundings:
    """Of the code that asks."""
    return _current.get()


def mcp_parties(given: Mapping[str, Any]) -> dict[str, str]:
    """`client` and `server`, as names. Raises TypeError for a word that is neither."""
    unknown = given.keys() - {"client", "server"}
    if unknown:
        raise TypeError(f"mcp has a client and a server, not {', '.join(sorted(unknown))}")
    return {party: shown for party, one in given.items() if one and (shown := name(one))}


def sent_history(history: Sequence[Mapping[str, Any]], masker: Masker) -> list[dict[str, Any]]:
    """The newest that fit, masked, oldest first."""
    kept: list[dict[str, Any]] = []
    room, nodes = HISTORY_BYTES, HISTORY_NODES
    for past in reversed(history[-ITEMS_MAX:]):
        item, used = _item(past, masker)
        room -= len(msgspec.json.encode(item)) + 1
        nodes -= used
        if room < 0 or nodes < 0:
            break
        kept.append(item)
    return kept[::-1]


def _item(past: Mapping[str, Any], masker: Masker) -> tuple[dict[str, Any], int]:
    plain = Plainer(ITEM_NODES)(dict(past.get("arguments") or {}))
    arguments = fit(masker.value(plain.value), ITEM_BYTES)[0]
    item = {"tool": name(past["tool"]) or "tool", "arguments": arguments}
    if past.get("outcome") is not None:
        # Cut after it is masked, so that no cut leaves half a secret.
        item["outcome"] = masker.text(str(past["outcome"]))[:OUTCOME_CHARS]
    return item, plain.nodes + 3


def _reset(token: Token[Surroundings], outer: Surroundings) -> None:
    try:
        _current.reset(token)
    except ValueError:
        # Entered in one context and left in another, as asynchronous generators do.
        _current.set(outer)


def _past(history: Sequence[Any]) -> tuple[dict[str, Any], ...]:
    """What was given, looked at where it was given: a wrong word is the developer's to see."""
    for past in history:
        if not isinstance(past, Mapping) or not past.get("tool") or past.keys() - _FIELDS:
            raise TypeError(
                "a history has items {'tool', 'arguments', 'outcome'}, with a tool each"
            )
        if not isinstance(past.get("arguments") or {}, Mapping):
            raise TypeError("the arguments in a history are given by name")
    return tuple(dict(past) for past in history[-ITEMS_MAX:])
