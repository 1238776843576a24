"""How the journal's values become bytes in Redis, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from gateway.domain.run_state import ActionRecord, Approval, RunState
from gateway.errors import StorageFailure
from gateway.storage.server.redis.keys import Key

# What the bytes of a record, or of a whole reply, may raise when they are not ours.
UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, IndexError)


class _Scalars(Struct, frozen=True, array_like=True):
    """A run's state without its actions and approvals, which have places of their own.

    Fields are only ever added at the end, with defaults.
    """

    environment: str
    counters: dict[str, int] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    halted: bool = False
    status: str = "running"
    agent_id: str | None = None
    user_id: str | None = None
    parent_run_id: str | None = None
    name: str | None = None
    external_id: str | None = None


class Entry(Struct, frozen=True, array_like=True):
    """An event in the log of its partition. `raw` is the record; the rest says whose it is."""

    project_id: str
    environment: str
    run_id: str
    seq: int
    event_id: str
    recorded_ns: int
    raw: bytes


class Moves(Struct, frozen=True, array_like=True):
    """What an append adds to shared counters, and the hold that it confirms."""

    project_id: str
    hold: str
    amounts: dict[str, int]


class Stored(Struct, frozen=True):
    """A run as Redis has it. `version` differs after every append."""

    version: bytes
    state: RunState
    wrapped: bytes
    last_ns: int


_encoder = msgspec.msgpack.Encoder()
_scalars = msgspec.msgpack.Decoder(_Scalars)
_entries = msgspec.msgpack.Decoder(Entry)
_moves = msgspec.msgpack.Decoder(Moves)
_actions = msgspec.msgpack.Decoder(ActionRecord)
_approvals = msgspec.msgpack.Decoder(Approval)
_dues = msgspec.msgpack.Decoder(tuple[str, str, str, str])

encode = _encoder.encode
decode_action = _actions.decode
decode_entry = _entries.decode
decode_moves = _moves.decode


def scalars(state: RunState) -> bytes:
    return _encoder.encode(
        _Scalars(
            state.environment,
            state.counters,
            state.labels,
            state.halted,
            state.status,
            state.agent_id,
            state.user_id,
            state.parent_run_id,
            state.name,
            state.external_id,
        )
    )


def stored(key: Key, row: Sequence[Any]) -> Stored:
    """The run that a Function answered. Raises StorageFailure."""
    try:
        version, seq, blob, wrapped, last_ns, recent, opened = row
        kept = _scalars.decode(blob)
        records = [_actions.decode(each) for each in reversed(recent) if each is not None]
        approvals = [
            _approvals.decode(value)
            for name, value in zip(opened[::2], opened[1::2], strict=True)
            if name.startswith(b"p:")
        ]
        state = RunState(
            project_id=key[0],
            run_id=key[1],
            last_seq=int(seq),
            recent={record.action_id: record for record in records},
            approvals={each.id: each for each in sorted(approvals, key=lambda each: each.id)},
            **msgspec.structs.asdict(kept),
        )
        return Stored(version, state, wrapped or b"", int(last_ns))
    except UNREADABLE as error:
        raise StorageFailure(f"the run's state cannot be read: {error}") from error


def above(blob: bytes) -> tuple[str | None, bool]:
    """(parent, halted) of a run, from its scalars alone. Raises StorageFailure."""
    try:
        kept = _scalars.decode(blob)
    except UNREADABLE as error:
        raise StorageFailure(f"the run's state cannot be read: {error}") from error
    return kept.parent_run_id, kept.halted


def due(at_ns: int, *place: str) -> bytes:
    """A member of a set of what comes due, sorted by time: (project, environment, run, id)."""
    return b"%020d" % max(0, min(at_ns, 10**20 - 1)) + _encoder.encode(place)


def due_place(member: bytes) -> tuple[int, tuple[str, str, str, str]]:
    """(time, (project, environment, run, id))."""
    return int(member[:20]), _dues.decode(memoryview(member)[20:])


def due_until(now_ns: int) -> bytes:
    """The end of what is due by then, for ZRANGEBYLEX."""
    return b"[%020d\xff" % max(0, now_ns)
