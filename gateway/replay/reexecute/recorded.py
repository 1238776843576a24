"""A recorded model call with all that the model was given.

A call carries what is new and names the call that it continues: the rest is looked up there. The
chain goes backwards in the run, and is bounded.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from gateway.domain.blobs import RunKeys
from gateway.replay.frames import ReplayFrame, frames
from gateway.replay.opening import OpenSecret, keys_of
from gateway.replay.reexecute.troubles import Incomplete, NoModelCall
from gateway.replay.stepping import FRAMES_MAX
from gateway.storage.ports import Ledger, StoredEvent

Api = Literal["chat_completions", "responses", "messages"]

PAGE: Final = 500
MESSAGES_MAX: Final = 20_000
BYTES_MAX: Final = 8 * 1024 * 1024
APIS: Final[tuple[Api, ...]] = ("chat_completions", "responses", "messages")


class RecordedCall(Struct, frozen=True, kw_only=True):
    """What the model was given, and what it answered then. `event_id` names the event."""

    seq: int
    event_id: str
    api: Api
    model: str | None
    system: str | None
    messages: list[Any]
    tools: list[Any]
    parameters: dict[str, Any]
    answer: Any
    body: dict[str, Any]
    error: str | None


class _Calls:
    """The model calls of a run, as they are stored. One that is continued may have come later:
    what an agent's code tells in the background is overtaken by a check."""

    def __init__(self) -> None:
        self.by_key: dict[str, StoredEvent] = {}
        self.wanted: StoredEvent | None = None
        self.found: str | None = None


async def recorded_call(
    ledger: Ledger, open_secret: OpenSecret, project_id: str, run_id: str, seq: int
) -> RecordedCall | None:
    """The call at seq; None when the run has no such step. Raises NoModelCall or Incomplete."""
    calls = await _calls(ledger, project_id, run_id, seq)
    if calls.found is None:
        return None
    if calls.wanted is None:
        raise NoModelCall(f"step {seq} is a {calls.found}, and no model call")
    keys = await keys_of(ledger, open_secret, project_id, run_id)
    opened = await _open(ledger, keys, project_id, run_id, calls.wanted)
    observed = _content(opened)
    chain = [(opened.body, observed)]
    size, count = _weight(observed), len(observed.get("messages") or [])
    body = opened.body
    while before := body.get("continues"):
        earlier = calls.by_key.pop(before["key"], None)
        if earlier is None:
            raise Incomplete("the model call that this one continues is not in the record")
        frame = await _open(ledger, keys, project_id, run_id, earlier)
        said = _content(frame)
        chain.append((frame.body, said))
        body = frame.body
        size, count = size + _weight(said), count + len(said.get("messages") or [])
        if size > BYTES_MAX or count > MESSAGES_MAX:
            raise Incomplete("what the model was given is too large to be sent again")
    return _made(opened, observed, chain)


def _made(
    frame: ReplayFrame,
    observed: dict[str, Any],
    chain: list[tuple[dict[str, Any], dict[str, Any]]],
) -> RecordedCall:
    messages: list[Any] = []
    system: Any = None
    tools: list[Any] = []
    for body, said in reversed(chain):
        before = body.get("continues") or {}
        kept = before.get("messages", 0)
        if kept > len(messages):
            raise Incomplete("messages of the call that this one continues are not in the record")
        messages = [*messages[:kept], *(said.get("messages") or [])]
        system = system if before.get("system") else said.get("system")
        tools = tools if before.get("tools") else said.get("tools") or []
    body = frame.body
    return RecordedCall(
        seq=frame.seq,
        event_id=frame.id,
        api=_api(body),
        model=body.get("id"),
        system=system,
        messages=messages,
        tools=tools,
        parameters=observed.get("parameters") or {},
        answer=observed.get("answer"),
        body=body,
        error=observed.get("error"),
    )


def _api(body: dict[str, Any]) -> Api:
    """As it was told; of calls that were recorded by hand, from the provider."""
    said = body.get("api")
    for api in APIS:
        if said == api:
            return api
    return "messages" if body.get("provider") == "anthropic" else "chat_completions"


async def _calls(ledger: Ledger, project_id: str, run_id: str, seq: int) -> _Calls:
    calls = _Calls()
    after = 0
    while after < FRAMES_MAX and (events := await ledger.events(project_id, run_id, after, PAGE)):
        # Without keys there is only the evidence, which is all that is looked at.
        bare = await asyncio.to_thread(frames, events, {}, None)
        for stored, frame in zip(events, bare, strict=True):
            after = frame.seq
            if frame.seq == seq:
                calls.found = frame.type
                calls.wanted = stored if frame.type == "model_call" else None
            elif frame.type == "model_call" and isinstance(frame.body.get("key"), str):
                calls.by_key[frame.body["key"]] = stored
    return calls


async def _open(
    ledger: Ledger, keys: RunKeys | None, project_id: str, run_id: str, stored: StoredEvent
) -> ReplayFrame:
    sealed = await ledger.blobs(project_id, run_id, sorted(set(stored.blob_keys.values())))
    (frame,) = await asyncio.to_thread(frames, [stored], sealed, keys)
    if frame.erased or frame.broken:
        gone = (frame.erased + frame.broken)[0]
        raise Incomplete(f"{gone} of step {frame.seq} is not there any more")
    return frame


def _content(frame: ReplayFrame) -> dict[str, Any]:
    said = frame.content.get("observation")
    return said if isinstance(said, dict) else {}


def _weight(said: dict[str, Any]) -> int:
    return len(msgspec.json.encode([said.get("messages"), said.get("tools"), said.get("system")]))
