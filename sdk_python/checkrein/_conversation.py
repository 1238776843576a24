"""What a run's model calls were given, so that a call is sent without what an earlier one was.

A conversation grows: each call repeats the one before it and adds a little. What is sent is what is
new, and `continues`, which names the earlier call and how many of its messages come first. Only
digests are kept here. Where a report was lost on its way, the next call is sent whole.
"""

from __future__ import annotations

import hashlib
import os
import threading
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from checkrein._ids import new_id
from checkrein._plain import Plainer
from checkrein._run import Run

# An agent may hold several conversations in one run, in turns.
REMEMBERED = 8

Losses = tuple[int, int, int]


class _Given(NamedTuple):
    """One call: its key, and digests of its messages, its system prompt and its tools."""

    key: str
    messages: list[bytes]
    system: bytes
    tools: bytes


class _Known:
    """The last calls of one run, and what had been lost by then."""

    def __init__(self, losses: Losses) -> None:
        self.losses = losses
        self.calls: list[_Given] = []


_known: weakref.WeakKeyDictionary[Run, _Known] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def new_part(
    run: Run, losses: Losses, system: str | None, messages: Sequence[Any], tools: Sequence[Any]
) -> dict[str, Any]:
    """The fields `key`, `continues`, `system`, `messages` and `tools` of this call's event."""
    given = _Given(
        new_id("mdl"), [_digest(one) for one in messages], _digest(system), _digest(list(tools))
    )
    with _lock:
        known = _known.get(run)
        if known is None or known.losses != losses:
            known = _known[run] = _Known(losses)
        before = max(known.calls, key=lambda one: _shared(one, given), default=None)
        if before is not None and not any(_shared(before, given)):
            before = None
        # One that this goes on from has served; one that only begins alike goes on by itself.
        kept = [one for one in known.calls if one is not before or not _goes_on(one, given)]
        known.calls = [*kept, given][-REMEMBERED:]
    if before is None:
        whole = {"system": system, "messages": list(messages), "tools": list(tools)}
        return {"key": given.key, **whole}
    same = _shared(before, given)
    continues = {
        "key": before.key,
        "messages": same.messages,
        "system": same.system and system is not None,
        "tools": same.tools and bool(tools),
    }
    return {
        "key": given.key,
        "continues": continues,
        "system": None if same.system else system,
        "messages": list(messages)[same.messages :],
        "tools": [] if same.tools else list(tools),
    }


class _Shared(NamedTuple):
    messages: int
    tools: bool
    system: bool


def _shared(before: _Given, given: _Given) -> _Shared:
    count = 0
    for one, other in zip(before.messages, given.messages, strict=False):
        if one != other:
            break
        count += 1
    return _Shared(count, before.tools == given.tools, before.system == given.system)


def _goes_on(before: _Given, given: _Given) -> bool:
    return _shared(before, given).messages == len(before.messages)


def _digest(value: Any) -> bytes:
    try:
        written = msgspec.json.encode(value)
    except Exception:  # noqa: BLE001 - any object may be passed; what is told of it is its plain form
        written = msgspec.json.encode(Plainer()(value).value)
    return hashlib.blake2b(written, digest_size=16).digest()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - the process-wide lock
    _lock = threading.Lock()
    # What the parent has not sent yet is the parent's to send: the child begins anew.
    _known.clear()


os.register_at_fork(after_in_child=_after_fork)
