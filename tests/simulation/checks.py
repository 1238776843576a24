"""What must hold, along the way and in the end, whatever happened in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from gateway.storage.server.redis import rows
from gateway.storage.server.redis.keys import Places
from tests.contract.appends import PROJECT
from tests.simulation.keyspace import Keyspace, Words
from tests.simulation.server import Written
from tests.simulation.world import BUDGET, CALLS_MAX, LIMIT, PARTITIONS, RUNS, Told, World


class Witness:
    """Sees everything that Redis writes, when it writes it."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.wrongs: list[str] = []
        self._owners: dict[bytes, str] = {}
        # Holds on counters that were given back.
        self._gone: set[bytes] = set()
        self._events: dict[tuple[bytes, bytes], str] = {}

    def seen(self, written: Written) -> None:
        """Nothing is removed from a log but what the ledger has, and only by the log's owner.

        Nothing is confirmed that was given back.
        """
        for words in written.effects:
            self._learn(written.by, words)
            if words[0] == b"XDEL":
                self._removed(written.by, words)
            if words[0] == b"HSET" and words[1].endswith(b":moves"):
                hold = words[3].partition(b"\n")[0]
                if hold and hold in self._gone:
                    self.wrongs.append(f"{hold.decode()} was given back and is confirmed")

    def again(self, file: list[Written]) -> None:
        """Redis began again from what was left of its file."""
        self._owners.clear()
        self._gone.clear()
        for written in file:
            for words in written.effects:
                self._learn(written.by, words)

    def _learn(self, by: str, words: Words) -> None:
        if words[0] == b"XADD":
            self._events[words[1], words[2]] = rows.decode_entry(words[4]).event_id
        if words[0] == b"HDEL" and words[2].startswith(b"r:"):
            self._gone.add(words[2].removeprefix(b"r:"))
        if words[0] == b"HSET" and words[1].endswith(b":owner") and words[3]:
            self._owners[words[1].removesuffix(b"owner")] = by

    def _removed(self, by: str, words: Words) -> None:
        assert self.world is not None
        event_id = self._events[words[1], words[2]]
        if event_id not in self.world.ledger.recorded:
            self.wrongs.append(f"{event_id} was settled before it was recorded")
        owner = self._owners.get(words[1].removesuffix(b"log"))
        if by != owner and not self.world.failed_over:
            self.wrongs.append(f"{by} settled what {owner} owned")


def wrongs(world: World) -> Iterator[str]:
    """All that does not hold at the end, when nothing is under way any more."""
    told, recorded = world.history.told, world.ledger.recorded
    yield from _waiting(world.server.keys)
    yield from _gaps(world)
    yield from _twice(world)
    for each in told.values():
        yield from _kept(world, each)
    appended = _appended(world)
    for event_id in appended:
        if event_id not in recorded:
            yield f"{event_id} was appended and is not in the ledger"
    if not world.failed_over:
        # A failover may lose what these are judged by: the holds, the halts and the records.
        yield from _in_order(told, appended)
        yield from _counted(world, appended)


def _kept(world: World, each: Told) -> Iterator[str]:
    """What was acknowledged is in the ledger, where it was said to be; what failed is not."""
    recorded = world.ledger.recorded
    for number, draft in enumerate(each.append.drafts):
        place = recorded.get(draft.id)
        if not each.seqs:
            if place is not None and not each.unknown:
                yield f"{draft.id} was refused and is in the ledger"
        elif place is None:
            if draft.id not in world.lost:
                yield f"{draft.id} was acknowledged and is lost"
        elif not world.failed_over and (set(each.seqs), 0) != ({place[1] - number}, place[2]):
            yield f"{draft.id} was acknowledged at {each.seqs} and is at {place}"


def _gaps(world: World) -> Iterator[str]:
    """Each run counts from 1, and nothing stands for an event that went missing."""
    seqs: dict[str, set[int]] = defaultdict(set)
    for run_id, seq, _ in world.ledger.recorded.values():
        seqs[run_id].add(seq)
    for run_id, found in seqs.items():
        if found != set(range(1, max(found) + 1)):
            yield f"{run_id} has the seqs {sorted(found)}"
    if world.failed_over:
        # What a failover took may be said to be missing: seeds 91 and 167 show it.
        return
    known = {draft.id for told in world.history.told.values() for draft in told.append.drafts}
    for event_id in world.ledger.recorded.keys() - known:
        yield f"{event_id} stands in the ledger for another event"


def _twice(world: World) -> Iterator[str]:
    """A place is taken twice only where a failover lost who had it, and then under an epoch."""
    if world.failed_over:
        return
    if any(epoch for _, _, epoch in world.ledger.recorded.values()):
        yield "a seq was given twice"


def _appended(world: World) -> list[str]:
    """The events that Redis was given, in order, as its file has them."""
    return [
        rows.decode_entry(words[4]).event_id
        for written in world.server.file
        for words in written.effects
        if words[0] == b"XADD"
    ]


def _in_order(told: dict[str, Told], appended: list[str]) -> Iterator[str]:
    """Followed from the first event on: halts, budgets, limits, and one execution of each id."""
    halted: set[str] = set()
    through: set[tuple[str, str]] = set()
    spent = calls = 0
    for event_id in appended:
        each = told.get(event_id)
        if each is None:
            continue
        append = each.append
        run_id = append.run_id
        spent += append.confirm.get(BUDGET, 0) - append.release.get(BUDGET, 0)
        if spent > LIMIT:
            yield f"{event_id} spends what was not left"
        if append.allows:
            assert append.action_id is not None
            if halted & set(_upwards(run_id)):
                yield f"{event_id} allows after a halt"
            if (run_id, append.action_id) in through:
                yield f"{event_id} lets an action through for the second time"
            through.add((run_id, append.action_id))
            calls += run_id == "counted"
        if any(change.halted for change in append.changes):
            halted.add(run_id)
    if calls > CALLS_MAX:
        yield f"{calls} calls of a run that may make {CALLS_MAX}"
    if len(set(appended)) < len(appended):
        yield "an event was appended twice"


def _upwards(run_id: str | None) -> Iterator[str]:
    while run_id is not None:
        yield run_id
        run_id = RUNS[run_id]


def _counted(world: World, appended: list[str]) -> Iterator[str]:
    """The budget's counter is what the record says, and holds nothing for anybody."""
    total = 0
    for event_id in appended:
        if event_id in world.history.told:
            append = world.history.told[event_id].append
            total += append.confirm.get(BUDGET, 0) - append.release.get(BUDGET, 0)
    _, key = Places("sim", PARTITIONS).counter(PROJECT, BUDGET)
    counter = dict(world.server.keys.live(key) or {})
    counted = int(counter.pop(b"t", b"0"))
    if counted != total:
        yield f"the counter says {counted}, the record {total}"
    if counter:
        yield f"the counter holds {counter}"


def _waiting(keys: Keyspace) -> Iterator[str]:
    for key in list(keys.values):
        if key.endswith(b":log") and keys.run((b"XLEN", key)):
            yield f"{keys.run((b'XLEN', key))} events wait in {key.decode()}"
        if key.endswith(b":moves"):
            yield f"moves are left in {key.decode()}"
