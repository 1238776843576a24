"""Runs: what an agent does for one request, from `with run(...)` to its end.

The current run is a context variable: it follows `await` and tasks, and not new threads; there,
`with r.use():` makes it current. A run started inside another is its child.
"""

from __future__ import annotations

import os
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

import msgspec

from checkrein import _inside, _replaying, _runtime
from checkrein._decision import Decision
from checkrein._errors import ApprovalRequired
from checkrein._events import Event
from checkrein._ids import new_id
from checkrein._keep import keep
from checkrein._names import identifier
from checkrein._observed import Observed
from checkrein._sizes import BODY_BYTES, NODES

_current: ContextVar[Run | None] = ContextVar("checkrein_run", default=None)
_turn: ContextVar[str | None] = ContextVar("checkrein_turn", default=None)
_live: weakref.WeakSet[Run] = weakref.WeakSet()
# What came up where nothing may be recorded: while something was collected, which may be inside of
# any lock. It is done at the next note, at the end of a run, or by `flush`.
_later: deque[Callable[[], None]] = deque()
EVENTS_IN_BATCH = 500
_ENVELOPE = 4096


class Run:
    """One run. Use as `with` or `async with`; made by `run(...)`.

    `decisions` holds the last thousand decisions, in order.
    """

    def __init__(self, ref: dict[str, str], parent: Run | None) -> None:
        runtime = _runtime.current()
        self.id = ref["id"]
        self.parent = parent
        self.decisions: deque[Decision] = deque(maxlen=1000)
        self.observed: Observed = Observed(
            parent.observed.masker if parent else runtime.new_masker()
        )
        # Cut after it is masked, so that no cut leaves half a secret.
        name = self.observed.masker.text(ref.get("name", ""))[:256]
        self.ref = {**ref, "name": name} if name else ref
        # The ticket of what was last reported in the background.
        self.reported = 0
        # A run that a simulation made is never told of, however long it lives.
        self._simulated = _replaying.active is not None
        self._halt: str | None = None
        self._end: dict[str, Any] = {}
        self._token: Token[Run | None] | None = None
        _live.add(self)

    def observe(self, **seen: Any) -> None:
        """What the agent was asked, plans, read and has at hand; see `checkrein.observe`."""
        keep(self.observed, seen)
        self._push_when_heavy()

    def note(self, kind: str, /, **fields: Any) -> None:
        """Keep an observation event of the contract for the next check or the end of the run."""
        _do_now()
        if _replaying.active is not None:
            _replaying.active.noted(kind, fields)
            return
        around = _inside.body() if kind == "model_call" else None
        made_in = around.action_id if around else None
        self.observed.note(kind, **{"turn_id": _turn.get(), "parent_id": made_in, **fields})
        self._push_when_heavy()

    def finish(self, status: str = "succeeded", *, output: Any = None) -> None:
        """Say how the run ends: succeeded, failed, paused, escalated or rolled_back."""
        if status not in {"succeeded", "failed", "paused", "escalated", "rolled_back"}:
            raise ValueError(f"unknown status {status!r}")
        self._end = {"status": status, "output": output}

    @contextmanager
    def use(self) -> Iterator[Run]:
        """Make this run current here, in another thread for example, without ending it."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _reset(token)

    @contextmanager
    def turn(self, turn_id: str | None = None) -> Iterator[str]:
        """One turn of a conversation; checks and events inside carry its id."""
        turn_id = identifier(turn_id or new_id("turn"))
        token = _turn.set(turn_id)
        self.note("turn_started")
        try:
            yield turn_id
        finally:
            self.note("turn_ended")
            _turn.reset(token)

    @property
    def halted(self) -> str | None:
        """The words with which this run, or one above it, was ended."""
        return self._halt or (self.parent.halted if self.parent else None)

    def halt(self, message: str) -> None:
        self._halt = message

    def wire_ref(self) -> dict[str, str]:
        """The `run` member of a body."""
        turn = _turn.get()
        return {**self.ref, "turn_id": turn} if turn else self.ref

    def push(self) -> None:
        """Hand everything observed to the outbox."""
        self._send(self.observed.drain())

    def push_events(self) -> None:
        """Hand over the events that wait; what the next check is to carry stays for it."""
        self._send(self.observed.take_events())

    def __enter__(self) -> Run:
        self._token = _current.set(self)
        self.observed.note("run_started", name=self.ref.get("name"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _reset(self._token)
        _do_now()
        end = {"status": "succeeded", **self._end}
        if error is not None:
            status = "paused" if isinstance(error, ApprovalRequired) else "failed"
            end |= {"status": status, "error": f"{type(error).__name__}: {error}"}
        self.observed.note("run_ended", **end)
        self.push()

    async def __aenter__(self) -> Run:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def _push_when_heavy(self) -> None:
        if self.observed.heavy:
            self.push_events()

    def _send(self, events: list[Event]) -> None:
        if self._simulated:
            return
        for body in batches(self.wire_ref(), events):
            self.reported = _runtime.current().outbox.put("/v1/events", body)


def run(
    name: str | None = None,
    *,
    agent: str | None = None,
    request: str | None = None,
    plan: Any = None,
    user_request: str | None = None,
    user_id: str | None = None,
    id: str | None = None,
) -> Run:
    """A run to enter with `with` or `async with`; inside another run it becomes its child.

    `request` is what the user asked for (`user_request` is another word for it) and `plan` what the
    agent is about to do, as `checkrein.request` and `checkrein.plan` take them: without them, what
    those said around the run holds.

    `id` is your own string, or left out; `user_id` names the person the run is for, and is sent as
    it is: it is the subject whose data can be erased later.
    """
    parent = _current.get()
    settings = _runtime.current().settings
    ref = {
        "id": id or new_id("run"),
        "name": name,
        "agent_id": agent or (parent.ref.get("agent_id") if parent else settings.agent),
        "user_id": user_id or (parent.ref.get("user_id") if parent else None),
        "parent_run_id": parent.id if parent else None,
    }
    given = {key: str(value) for key, value in ref.items() if value}
    made = Run(
        {key: given[key] if key == "name" else identifier(given[key]) for key in given}, parent
    )
    made.observe(request=user_request if request is None else request, plan=plan)
    return made


def current_run() -> Run | None:
    """The run that this code is in."""
    return _current.get()


def current_turn() -> str | None:
    """The id of the turn that this code is in."""
    return _turn.get()


def flush(timeout: float = 2.0) -> bool:
    """Send all that waits, what live runs observed included; true once all of it has arrived.

    Waits at most `timeout` seconds, and gives up early when the gateway is away.
    """
    if _replaying.active is not None:
        # There is nothing to send here, and what runs outside observed is not to be lost.
        return True
    _do_now()
    for one in list(_live):
        one.push()
    return _runtime.flush(timeout)


def later(do: Callable[[], None]) -> None:
    """Have something done where it may be. Safe anywhere, in `__del__` too."""
    _later.append(do)


def _do_now() -> None:
    while _later:
        try:
            do = _later.popleft()
        except IndexError:
            # Another thread has done it.
            return
        do()


def batches(ref: Mapping[str, str], events: list[Event]) -> Iterator[bytes]:
    """Bodies for POST /v1/events, each within the gateway's limits."""
    batch: list[Event] = []
    size, nodes = _ENVELOPE, 0
    for event in events:
        size, nodes = size + event.size + 1, nodes + event.nodes
        if batch and (size > BODY_BYTES or nodes > NODES or len(batch) >= EVENTS_IN_BATCH):
            yield _batch(ref, batch)
            batch, size, nodes = [], _ENVELOPE + event.size, event.nodes
        batch.append(event)
    if batch:
        yield _batch(ref, batch)


def _batch(ref: Mapping[str, str], events: list[Event]) -> bytes:
    return msgspec.json.encode({"run": ref, "events": [event.raw for event in events]})


def _reset(token: Token[Run | None]) -> None:
    try:
        _current.reset(token)
    except ValueError:
        # Entered in one context and left in another, as asynchronous generators do.
        _current.set(None)


def _after_fork() -> None:
    _later.clear()
    for one in list(_live):
        one.reported = 0
        one.observed.after_fork()


os.register_at_fork(after_in_child=_after_fork)
