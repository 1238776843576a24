"""What this gateway last read of hot runs: a saving, never an authority.

Redis says whether what is remembered is still the run's newest version, in the same call that
reads it otherwise; an append that was built on an older one is refused by it.

Where this gateway was the last to write to a run, and nobody else has been seen to lately, it may
be believed for a judgement without asking: see `believed`.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence

from msgspec import Struct

from gateway.ambient import Ambient
from gateway.domain import sealing
from gateway.domain.run_state import ActionRecord, RunState
from gateway.errors import StorageFailure
from gateway.storage.keyring import opened_secret
from gateway.storage.ports import Gather, Reloaded
from gateway.storage.server.redis import rows
from gateway.storage.server.redis.admission import all_recent
from gateway.storage.server.redis.behind import Behind
from gateway.storage.server.redis.functions import BRING, GATHER
from gateway.storage.server.redis.keys import Key, Partition, Places, place_of
from gateway.storage.server.redis.routes import Routes

# How long a look into the ledger is good for, while Redis does not know the run.
RELOADED_SECONDS = 30.0
# What is remembered in all, and what a run, an action of it and anything smaller count for.
REMEMBERED_BYTES = 128 * 1024 * 1024
RUN_BYTES = 2_000
ACTION_BYTES = 1_500
PIECE_BYTES = 300
# A run that several gateways write to all the time is hardly ever believed.
TRUST_MAX = 64
ABSENT = b""
_GONE = b"gone:"


class Run(Struct):
    """A run as it was read, never changed afterwards but for its key.

    `version` is ABSENT, or that of a run forgotten lately, when Redis does not have the run.
    `known` when it has events, there or in the ledger, from which it was then `reloaded`.

    `line` names the last time that Redis told it; `own` counts this gateway's appends since then,
    each of which Redis wrote upon the one before. It is believed unasked from `trust` of them on.
    """

    version: bytes
    state: RunState
    known: bool
    wrapped: bytes = b""
    content_key: bytes | None = None
    last_ns: int = 0
    reloaded: Reloaded | None = None
    read_at: float = 0.0
    line: int = 0
    own: int = 0
    trust: int = 1

    @property
    def here(self) -> bool:
        """Whether Redis has the run."""
        return _here(self.version)

    @property
    def weight(self) -> int:
        """About how many bytes it takes, told from how much there is: measuring costs more."""
        state = self.state
        actions = len(state.recent) + (len(self.reloaded.actions) if self.reloaded else 0)
        pieces = len(state.counters) + len(state.labels) + len(state.approvals)
        return RUN_BYTES + ACTION_BYTES * actions + PIECE_BYTES * pieces


class Seen(Struct, frozen=True):
    """A run with records of actions that were asked for, and a mark of a halt above it."""

    run: Run
    records: dict[str, ActionRecord | None]
    mark: Sequence[bytes] | None


class Runs:
    """Reads runs. The least recently used are forgotten: at most so many are kept, in so many bytes
    together."""

    def __init__(
        self,
        routes: Routes,
        places: Places,
        behind: Behind,
        ambient: Ambient,
        most: int,
        most_bytes: int = REMEMBERED_BYTES,
    ) -> None:
        self._routes = routes
        self._places = places
        self._behind = behind
        self._ambient = ambient
        self._most = most
        self._most_bytes = most_bytes
        self._runs: OrderedDict[Key, Run] = OrderedDict()
        self._weights: dict[Key, int] = {}
        self._bytes = 0
        self._lines = itertools.count(1)

    def remembered(self, key: Key) -> Run | None:
        """The run as last seen, unless it may have come to Redis or gone since."""
        run = self._runs.get(key)
        if run is None or not (run.here or self._fresh(run)):
            return None
        return run

    def believed(self, ask: Gather) -> Run | None:
        """The run, where this gateway was the last to write and what it remembers says all that a
        read would.

        Not below other runs, of whose halts only the partition knows; nor when the record of the
        action may be one that is not remembered, or is there and would be answered from.
        """
        key = (ask.project_id, ask.run_id)
        run = self._runs.get(key)
        if run is None or not run.here or run.own < run.trust:
            return None
        state = run.state
        if (
            state.environment != ask.environment
            or state.parent_run_id is not None
            or ask.parent_run_id is not None
        ):
            return None
        if ask.action_id is not None and (ask.action_id in state.recent or not all_recent(state)):
            return None
        self._runs.move_to_end(key)
        return run

    async def read(
        self,
        key: Key,
        environment: str,
        actions: Sequence[str] = (),
        above: Sequence[bytes] = (),
        *,
        is_new: bool = False,
    ) -> Seen:
        """The run as it is now. `environment` is that of a run that nobody knows, and the ledger is
        not asked for one that `is_new`."""
        remembered = self._runs.get(key)
        partition = self._places.of(key)
        version = remembered.version if remembered else ABSENT
        try:
            command = GATHER(partition.keys, place_of(key), version, len(actions), *actions, *above)
        except UnicodeEncodeError as error:
            raise StorageFailure(f"an id cannot be stored: {error}") from error
        reply = await self._routes.call(partition.slot, command, "reads")
        try:
            version, row, blobs, mark = reply
            records = {
                action: rows.decode_action(blob) if blob is not None else None
                for action, blob in zip(actions, blobs, strict=False)
            }
        except rows.UNREADABLE as error:
            raise StorageFailure(f"the run's state cannot be read: {error}") from error
        if not _here(version):
            run = await self._absent(key, environment, version, is_new=is_new)
            past = run.reloaded.actions if run.reloaded else {}
            return Seen(run, {action: past.get(action) for action in actions}, mark)
        if row is None:
            assert remembered is not None
            return Seen(remembered, records, mark)
        return Seen(self.take(key, rows.stored(key, row)), records, mark)

    def take(self, key: Key, stored: rows.Stored) -> Run:
        """Remember a run as Redis has just told it."""
        before = self._runs.get(key)
        same = before is not None and before.wrapped == stored.wrapped
        # Others write to it, too: each time it takes longer until it is believed again.
        trust = 1 if before is None or not before.here else min(2 * before.trust, TRUST_MAX)
        return self.keep(
            key,
            Run(
                version=stored.version,
                state=stored.state,
                known=True,
                wrapped=stored.wrapped,
                content_key=before.content_key if before is not None and same else None,
                last_ns=stored.last_ns,
                trust=trust,
            ),
        )

    def keep(self, key: Key, run: Run) -> Run:
        self.drop(key)
        run.line = run.line or next(self._lines)
        self._runs[key] = run
        self._weights[key] = run.weight
        self._bytes += self._weights[key]
        while len(self._runs) > self._most or (
            self._bytes > self._most_bytes and len(self._runs) > 1
        ):
            self.drop(next(iter(self._runs)))
        return run

    def drop(self, key: Key) -> None:
        if self._runs.pop(key, None) is not None:
            self._bytes -= self._weights.pop(key)

    def clear(self) -> None:
        self._runs.clear()
        self._weights.clear()
        self._bytes = 0

    async def content_key(self, run: Run, user_id: str | None) -> bytes:
        """The run's content key. A new run gets a secret. Raises StorageFailure."""
        if run.content_key is not None:
            return run.content_key
        project_id = run.state.project_id
        try:
            if run.known:
                secret = await opened_secret(self._behind.run_secret, project_id, run.wrapped)
            else:
                secret = sealing.new_secret()
                wrapped = await self._behind.run_secret_wrap(project_id, user_id, secret)
                run.wrapped = wrapped
        except ValueError as error:
            raise StorageFailure(f"the run's secret cannot be opened: {error}") from error
        run.content_key = sealing.content_key(secret)
        return run.content_key

    def forget_keys(self) -> None:
        """Open the keys again from what is stored, if it can still be opened."""
        for run in self._runs.values():
            if run.known:
                run.content_key = None

    async def bring(self, key: Key, run: Run, now_ns: int) -> Run | None:
        """Put a run that was reloaded back into Redis. None: somebody was faster."""
        past = run.reloaded
        assert past is not None
        partition = self._places.of(key)
        state = run.state
        version = f"reloaded:{now_ns}:{sealing.new_secret().hex()[:16]}".encode()
        command = _bring(partition, key, version, run, past, now_ns)
        if not await self._routes.call(partition.slot, command):
            self.drop(key)
            return None
        return self.keep(
            key,
            Run(version, state, True, run.wrapped, run.content_key, last_ns=now_ns),
        )

    async def _absent(self, key: Key, environment: str, version: bytes, *, is_new: bool) -> Run:
        remembered = self._runs.get(key)
        if remembered is not None and remembered.version == version and self._fresh(remembered):
            if not remembered.known and remembered.state.environment != environment:
                remembered.state.environment = environment
            return remembered
        reloaded = None if is_new else await self._behind.reload(*key)
        now = self._ambient.monotonic()
        if reloaded is None:
            fresh = RunState(project_id=key[0], environment=environment, run_id=key[1])
            return self.keep(key, Run(version, fresh, False, read_at=now))
        run = Run(
            version,
            reloaded.state,
            True,
            reloaded.wrapped_secret,
            reloaded=reloaded,
            read_at=now,
        )
        return self.keep(key, run)

    def _fresh(self, run: Run) -> bool:
        return self._ambient.monotonic() - run.read_at < RELOADED_SECONDS


def _here(version: bytes) -> bool:
    return version != ABSENT and not version.startswith(_GONE)


def _bring(
    partition: Partition, key: Key, version: bytes, run: Run, past: Reloaded, now_ns: int
) -> bytes:
    state = past.state
    project_id = key[0]
    actions = {**past.actions, **state.recent}
    words: list[bytes | str | int] = [
        place_of(key),
        version,
        state.last_seq,
        rows.scalars(state),
        past.wrapped_secret,
        now_ns,
        int(state.halted),
        run.version,
        len(state.recent),
        *state.recent,
    ]
    for action in actions.values():
        decided = f"{project_id}/{action.decision_id}"
        words += [action.action_id, rows.encode(action), decided]
    words.append(b"")
    for approval in state.approvals.values():
        place = (project_id, state.environment, key[1], approval.id)
        words += [approval.id, rows.encode(approval), rows.due(approval.expires_ns, *place)]
    return BRING(partition.keys, *words)
