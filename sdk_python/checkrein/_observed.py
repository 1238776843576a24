"""What a run has seen and has not yet told the gateway.

Request, plan and context travel inside the next check, so nothing that a decision depended on
arrives after it; other observations ride along in its `events` while there is room. What a check
took is confirmed when a decision comes back and restored when none does. Whatever no check ever
carried is drained at the end of the run.

Everything is masked on its way in; the true text is not kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Any, NamedTuple

import msgspec

from checkrein._context import Context
from checkrein._events import Event, make
from checkrein._masking import Masker
from checkrein._plan import Plan, Step
from checkrein._sizes import NODES

EVENTS_IN_CHECK = 500
PENDING_BYTES = 2 * 1024 * 1024
PENDING_EVENTS = 2000
UNTOLD = 200


class Asked:
    """A request, masked. Apart from its text, so that two of the same words are two."""

    def __init__(self, text: str) -> None:
        self.text = text


class Told(NamedTuple):
    """The request and the plan that one check carries: what is sent, and what it is a piece of."""

    fields: dict[str, Any]
    pieces: tuple[Asked | Step, ...]


class Share(NamedTuple):
    """What one check carries: members of its body, and events taken from the run."""

    fields: dict[str, Any]
    events: list[Event]
    pieces: tuple[Asked | Step, ...] = ()


class Observed:
    """The observations of one run, from any thread."""

    def __init__(self, masker: Masker) -> None:
        self.masker = masker
        self.dropped = 0
        self._lock = threading.Lock()
        self._seq = 0
        self._now: dict[str, Any] = {}
        # What no check has carried yet, by identity.
        self._untold: OrderedDict[int, tuple[str, Asked | Step]] = OrderedDict()
        self._context = Context()
        self._events: deque[Event] = deque()
        self._bytes = 0

    @property
    def heavy(self) -> bool:
        """Whether more waits than a check could carry."""
        return self._bytes > 128 * 1024 or len(self._events) > EVENTS_IN_CHECK

    def note(self, kind: str, /, **fields: Any) -> None:
        """Keep an event for the next check, or for the end of the run."""
        with self._lock:
            self._note(kind, fields)

    def next_seq(self) -> int:
        """A number for an event that is sent on its own."""
        with self._lock:
            self._seq += 1
            return self._seq

    def set(self, name: str, value: Any) -> None:
        """Keep what holds from now on: reasoning, model, external_state, ..."""
        with self._lock:
            self._now[name] = value

    def ask(self, kind: str, asked: Asked | Plan) -> None:
        """Keep what holds in the whole run from now on: `request` or `plan`."""
        with self._lock:
            self._expect(kind, asked, self._now.get(kind))
            self._now[kind] = asked

    def now(self, kind: str) -> Any:
        """The request, or the plan, of the whole run."""
        with self._lock:
            return self._now.get(kind)

    def expect(
        self, kind: str, asked: Asked | Plan | None, before: Asked | Plan | None = None
    ) -> None:
        """Have a request or a plan told, by a check or else as an event. What it replaces is told
        at once where no check carried it."""
        with self._lock:
            self._expect(kind, asked, before)

    def item(self, source: str, text: str, *, trusted: bool) -> dict[str, Any]:
        """A context item that is known again by what it says and by whose word it is."""
        id_ = f"ctx_{self.masker.label(f'{source} {trusted}', text)}"
        return {"id": id_, "source": source, "trusted": trusted, "text": text}

    def see(self, item: dict[str, Any], *, result: bool = False) -> None:
        """Keep a context item `{id, source, trusted, text}`; `result` when a call brought it back.

        What has to go before any check carried it is told as an event.
        """
        with self._lock:
            for gone in self._context.see(item, result=result):
                self._note("context", gone)

    def weight(self, told: Told) -> int:
        """Bytes that a check will need for what holds from now on, before context and events."""
        with self._lock:
            return len(msgspec.json.encode(self._members(told)))

    def share(self, room: int, nodes: int, told: Told) -> Share:
        """What fits into a check with this many bytes and values left."""
        with self._lock:
            fields = self._members(told)
            room -= len(msgspec.json.encode(fields))
            context, room = self._context.chosen(room)
            if context:
                fields["context"] = context
                nodes += 6 * len(context)
            taken: list[Event] = []
            while self._events and len(taken) < EVENTS_IN_CHECK:
                event = self._events[0]
                room, nodes = room - event.size - 1, nodes + event.nodes
                if room < 0 or nodes > NODES:
                    break
                taken.append(self._events.popleft())
                self._bytes -= event.size
            return Share(fields, taken, told.pieces)

    def confirm(self, share: Share) -> None:
        """A decision came back: what the check carried is remembered there."""
        with self._lock:
            self._context.hold(share.fields.get("context", ()))
            for piece in share.pieces:
                self._untold.pop(id(piece), None)
            sent = share.fields.get("request", {}).get("reasoning")
            if sent is not None and self._now.get("reasoning") is sent:
                # It explained this call; the next one has its own.
                del self._now["reasoning"]

    def restore(self, share: Share) -> None:
        """No decision came back: the events wait for the next chance, in their order."""
        with self._lock:
            self._events.extendleft(reversed(share.events))
            self._bytes += sum(event.size for event in share.events)
            self._trim()

    def drain(self) -> list[Event]:
        """Everything that no decision has carried, as events; empties the run."""
        with self._lock:
            while self._untold:
                self._note(*_event(*self._untold.popitem(last=False)[1]))
            for item in self._context.hold_all():
                self._note("context", item)
            return self._take()

    def take_events(self) -> list[Event]:
        """The events that wait; request, plan and context stay for the next check."""
        with self._lock:
            return self._take()

    def after_fork(self) -> None:
        """In the child: what was waiting belongs to the parent, which will send it."""
        self._lock = threading.Lock()
        self._untold.clear()
        self._context.after_fork()
        self._events.clear()
        self._bytes = 0

    def _expect(self, kind: str, asked: Asked | Plan | None, before: Asked | Plan | None) -> None:
        for piece in _pieces(before):
            if self._untold.pop(id(piece), None) is not None:
                self._note(*_event(kind, piece))
        for piece in _pieces(asked):
            self._untold[id(piece)] = (kind, piece)
        while len(self._untold) > UNTOLD:
            self._note(*_event(*self._untold.popitem(last=False)[1]))

    def _take(self) -> list[Event]:
        events = list(self._events)
        self._events.clear()
        self._bytes = 0
        return events

    def _note(self, kind: str, fields: dict[str, Any]) -> None:
        self._seq += 1
        event = make(kind, self._seq, self.masker, fields)
        self._events.append(event)
        self._bytes += event.size
        self._trim()

    def _trim(self) -> None:
        while self._bytes > PENDING_BYTES or len(self._events) > PENDING_EVENTS:
            self._bytes -= self._events.popleft().size
            self.dropped += 1

    def _members(self, told: Told) -> dict[str, Any]:
        request = {**told.fields, "reasoning": self._now.get("reasoning")}
        members = {
            "request": {name: value for name, value in request.items() if value is not None},
            **{name: self._now[name] for name in _MEMBERS if name in self._now},
        }
        return {name: value for name, value in members.items() if value}


_MEMBERS = ("model", "prompt_version", "tools_available", "external_state")


def _pieces(asked: Asked | Plan | None) -> list[Asked | Step]:
    if isinstance(asked, Plan):
        return list(asked.steps)
    return [] if asked is None else [asked]


def _event(kind: str, piece: Asked | Step) -> tuple[str, dict[str, Any]]:
    return kind, {"text": piece.text} if isinstance(piece, Asked) else piece.fields
