"""Making the one command of an append: its events, and the run's state after it."""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from gateway.domain import sealing
from gateway.domain.run_state import RunState, apply
from gateway.errors import StorageFailure
from gateway.storage import record
from gateway.storage.ports import Append
from gateway.storage.server.redis import rows
from gateway.storage.server.redis.above import Above
from gateway.storage.server.redis.admission import Records
from gateway.storage.server.redis.counters import moved
from gateway.storage.server.redis.functions import APPEND
from gateway.storage.server.redis.keys import Key, Partition, place_of
from gateway.storage.server.redis.runs import Run

# How often a run in use moves back among those that may be forgotten.
TOUCHED_NS = 60_000_000_000


def _new_token() -> bytes:
    return sealing.new_secret().hex()[:16].encode()


class Limits(Struct, frozen=True):
    """Events that may wait in one partition; and who asks, for leases on runs."""

    waiting: int
    owner: bytes


class Prepared(Struct):
    """What of an append stays the same however often it is tried: its records, sealed once.

    For a halt also what the partitions below were `told` of it last, and a `token` for telling
    them anew: a token is used once, so that what comes late of an earlier one does no harm.
    """

    key: Key
    place: bytes
    append: Append
    now_ns: int
    raws: list[bytes] = []
    sealed_with: bytes | None = None
    told: bytes = b""
    token: bytes = field(default_factory=_new_token)

    @property
    def first_event(self) -> str:
        """The append's identity: where it is placed already, it is not appended again."""
        return placed_field(self.append.project_id, self.append.drafts[0].id)

    def spread(self) -> None:
        """The partitions below have been told of the halt under `token`."""
        self.told, self.token = self.token, _new_token()

    def seal(self, content_key: bytes) -> None:
        """Seal the records under the run's key, again only when that has changed."""
        if self.sealed_with == content_key:
            return
        project_id, run_id = self.key
        self.raws = [
            record.encode(draft, record.seal_content(content_key, project_id, run_id, draft))
            for draft in self.append.drafts
        ]
        self.sealed_with = content_key


def prepare(append: Append, now_ns: int) -> Prepared:
    """Raises StorageFailure when a value cannot be stored."""
    assert append.drafts
    key = (append.project_id, append.run_id)
    try:
        # Numbers beyond what any store holds would pass: they are clamped when they are applied.
        rows.encode((append.changes, append.confirm, append.release))
    except (ValueError, OverflowError) as error:
        raise StorageFailure(f"the append holds a value that cannot be stored: {error}") from error
    return Prepared(key, place_of(key), append, now_ns)


def command(
    prepared: Prepared,
    run: Run,
    records: Records,
    partition: Partition,
    above: Above,
    hold: str,
    limits: Limits,
    *,
    leases: bool = False,
) -> tuple[bytes, Run]:
    """The command that appends upon `run`, and the run after it. Raises StorageFailure."""
    append, now_ns = prepared.append, prepared.now_ns
    assert run.content_key is not None
    try:
        prepared.seal(run.content_key)
        state = _after(run, append)
        touched = not run.here or now_ns - run.last_ns >= TOUCHED_NS
        version = append.drafts[-1].id.encode()
        flags = "".join(
            flag
            for flag, applies in (
                ("A", append.allows),
                ("T", touched),
                ("H", state.halted and not run.state.halted),
                ("L", leases),
                ("C", bool(append.confirm)),
            )
            if applies
        )
        amounts = moved(append)
        moves = rows.encode(rows.Moves(append.project_id, hold, amounts)) if amounts else b""
        words: list[bytes | str | int] = [
            prepared.place,
            run.version,
            version,
            state.last_seq,
            rows.scalars(state),
            b"" if run.here else run.wrapped,
            now_ns,
            flags,
            limits.waiting,
            limits.owner,
            hold,
            prepared.told + b" " + prepared.token,
            moves,
        ]
        _add_events(words, prepared, state.last_seq - len(append.drafts))
        _add_actions(words, append, records, run.state)
        _add_approvals(words, append)
        if append.allows:
            words += above.places
        packed = APPEND(partition.keys, *words)
    except (ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise StorageFailure(f"the append holds a value that cannot be stored: {error}") from error
    after = Run(version, state, True, run.wrapped, run.content_key, last_ns=now_ns)
    after.line, after.own, after.trust = run.line, run.own + 1, run.trust
    return packed, after


def placed_field(project_id: str, event_id: str) -> str:
    return f"{project_id}/{event_id}"


def _after(run: Run, append: Append) -> RunState:
    before = run.state
    state = msgspec.structs.replace(
        before,
        environment=before.environment if run.known else append.environment,
        counters=dict(before.counters),
        labels=list(before.labels),
        recent=dict(before.recent),
        approvals=dict(before.approvals),
        last_seq=before.last_seq + len(append.drafts),
    )
    for change in append.changes:
        apply(state, change)
    return state


def _add_events(words: list[bytes | str | int], prepared: Prepared, before: int) -> None:
    append = prepared.append
    words.append(len(append.drafts))
    for number, (draft, raw) in enumerate(zip(append.drafts, prepared.raws, strict=True), 1):
        entry = rows.Entry(
            append.project_id,
            append.environment,
            append.run_id,
            before + number,
            draft.id,
            prepared.now_ns,
            raw,
        )
        words += [placed_field(append.project_id, draft.id), rows.encode(entry)]


def _add_actions(
    words: list[bytes | str | int], append: Append, records: Records, state: RunState
) -> None:
    """Actions that are made or closed. Only a new one can hold unsettled reservations."""
    made: list[bytes | str | int] = []
    for change in append.changes:
        for action, new in ((change.action, True), (change.closed, False)):
            if action is None:
                continue
            due = b""
            if new and append.confirm:
                due = rows.due(
                    append.confirm_deadline_ns,
                    append.project_id,
                    append.environment,
                    append.run_id,
                    action.action_id,
                )
            before = state.recent.get(action.action_id) or records.get(action.action_id)
            replaced = before is not None and before.decision_id != action.decision_id
            made += [
                action.action_id,
                rows.encode(action),
                int(new),
                due,
                f"{append.project_id}/{action.decision_id}",
                f"{append.project_id}/{before.decision_id}" if before and replaced else b"",
            ]
    words.append(len(made) // 6)
    words += made


def _add_approvals(words: list[bytes | str | int], append: Append) -> None:
    """Approvals that are asked for, and those that end."""
    place = (append.project_id, append.environment, append.run_id)
    asked: list[bytes | str | int] = []
    for change in append.changes:
        approval = change.approval
        if approval is not None:
            due = rows.due(approval.expires_ns, *place, approval.id)
            asked += [approval.id, rows.encode(approval), due]
        if change.approval_closed is not None:
            asked += [change.approval_closed, b"", b""]
    words.append(len(asked) // 3)
    words += asked
