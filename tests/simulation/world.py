"""One seed's world: gateways and workers of the real code, a Redis that fails, and agents.

Everything that happens by chance comes from the seed, and time is the loop's: the same seed gives
the same history. What the agents were told is kept in `History`, for `checks` to hold against
what Redis and the ledger have in the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field, structs

from gateway.domain.events import Draft, RunStartedBody
from gateway.domain.ruleset import CounterReads
from gateway.domain.run_state import ActionRecord, StateChange
from gateway.errors import StorageFailure
from gateway.storage.ports import Append, Appended, Refused, Reserve
from gateway.storage.server.redis.behind import Behind
from gateway.storage.server.redis.drain import RedisDrain
from gateway.storage.server.redis.durability import durability
from gateway.storage.server.redis.journal import RedisJournal, installed
from gateway.storage.server.redis.lane import OutcomeUnknown
from gateway.storage.server.redis.owning import Owning
from gateway.worker.recorder import Recorder
from tests.contract import appends as make
from tests.make import NOON_NS
from tests.simulation.ledger import Keys, Ledger
from tests.simulation.network import Network, Process
from tests.simulation.server import Server, Written

PARTITIONS = 3
# run -> the run above it. The last one has a limit on its calls.
RUNS: dict[str, str | None] = {"top": None, "mid": "top", "leaf": "mid", "counted": None}
CALLS_MAX = 6
BUDGET, LIMIT = "daily", 12
ACTIONS = 8
HELD_SECONDS = 4
ROUNDS = 16
GATEWAYS, WORKERS, AGENTS = 2, 2, 4


class Told(Struct):
    """An append as an agent sees it: what it was, and what came of it."""

    append: Append
    seqs: list[int] = []
    # Once nobody knows whether it was written, it may turn up.
    unknown: bool = False


class History(Struct):
    """What agents were told, by the first event of each append."""

    told: dict[str, Told] = field(default_factory=dict)
    let_through: list[tuple[str, ActionRecord]] = []


class Ambient:
    """A process's clock, which is a little wrong, and ids that count."""

    count = 0

    def __init__(self, skew: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._skew = skew

    def now_ns(self) -> int:
        return NOON_NS + int((self._loop.time() + self._skew) * 1e9)

    def monotonic(self) -> float:
        return self._loop.time()

    def new_id(self, prefix: str) -> str:
        Ambient.count += 1
        return f"{prefix}_{Ambient.count:032x}"


class Gateway:
    """A gateway process: its memory goes when it dies."""

    def __init__(self, process: Process, journal: RedisJournal) -> None:
        self.process = process
        self.journal = journal
        self.asking: set[asyncio.Task[Any]] = set()

    def die(self) -> None:
        self.process.alive = False
        self.journal._tending.cancel()
        for task in self.asking:
            task.cancel()


class Worker:
    """A worker process."""

    def __init__(self, process: Process, recorder: Recorder) -> None:
        self.process = process
        self.recorder = recorder
        self.task = asyncio.ensure_future(recorder.run(asyncio.Event()))

    def die(self) -> None:
        self.process.alive = False
        self.task.cancel()


class World:
    """Everything in one place. `seen` is told of all that Redis writes."""

    def __init__(self, seed: int, seen: Callable[[Written], None]) -> None:
        self.chance = random.Random(seed)
        self.history = History()
        self.loop = asyncio.get_running_loop()
        self.server = Server(self.chance, seen)
        self.network = Network(self.server, self.chance)
        self.ledger = Ledger(self.history.told, self.pause)
        self.gateways: list[Gateway] = []
        self.workers: list[Worker] = []
        self.recorders: list[Recorder] = []
        self.over = self.failed_over = False
        # Events that a failover took from Redis.
        self.lost: set[str] = set()
        self.begun: set[str] = set()
        self._names = iter(range(1, 1 << 30))
        # For mutants: what stands between a worker and its drain.
        self.drained: Callable[[Any], Any] = lambda drain: drain

    def event(self) -> Draft:
        named = f"evt_{next(self._names):032x}"
        return make.draft(id=named, type="turn_started", body=b"{}", content={})

    async def pause(self) -> None:
        """A moment in the ledger, now and then a long one."""
        slow = self.network.rough and self.chance.random() < 0.05
        await asyncio.sleep(self.chance.uniform(0.5, 4.0) if slow else 0.001)

    async def start(self) -> None:
        while len(self.gateways) < GATEWAYS:
            self.gateways.append(await self._patiently(self._gateway))
        while len(self.workers) < WORKERS:
            self.workers.append(await self._patiently(self._worker))

    def stop(self) -> None:
        self.over = True
        for gateway in self.gateways:
            gateway.die()
        for worker in self.workers:
            worker.die()

    async def replace(self, number: int, kind: str) -> None:
        """One of a kind dies, and another one comes up some time later."""
        pool: list[Any] = self.gateways if kind == "gateway" else self.workers
        dead = pool[number]
        dead.die()
        await asyncio.sleep(self.chance.uniform(0.05, 1.0))
        make_one: Any = self._gateway if kind == "gateway" else self._worker
        pool[number] = await self._patiently(make_one)

    async def _patiently(self, begin: Callable[[], Any]) -> Any:
        while True:
            try:
                return await begin()
            except StorageFailure:
                await asyncio.sleep(0.1)

    async def _gateway(self) -> Gateway:
        process = Process(f"gateway{next(self._names)}")
        routes = self.network.routes(process, 0.25)
        await routes.open()
        journal = RedisJournal(
            routes,
            await installed(routes, "sim", PARTITIONS),
            await durability(routes),
            behind=Behind(Keys(), self.ledger.reload),  # type: ignore[arg-type]
            ambient=Ambient(self.chance.uniform(-0.5, 0.5)),
            hot_runs_max=3,
            waiting_max=500_000,
            held_seconds=HELD_SECONDS,
        )
        return Gateway(process, journal)

    async def _worker(self) -> Worker:
        process = Process(f"worker{next(self._names)}")
        routes = self.network.routes(process, 1.0)
        await routes.open()
        places = await installed(routes, "sim", PARTITIONS)
        owning = Owning(routes, places, process.name, 2.0)
        drain = self.drained(RedisDrain(routes, places, owning))
        ambient = Ambient(0.0)
        secrets = Keys().run_secret
        recorder = Recorder(drain, self.ledger, secrets, ambient, batch=6, idle_seconds=0.2)  # type: ignore[arg-type]
        self.recorders.append(recorder)
        return Worker(process, recorder)


class Agent:
    """Asks, decides as a gateway's checker does, and remembers what it was told."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance

    async def work(self) -> None:
        for _ in range(ROUNDS):
            await asyncio.sleep(self._chance.choice([0.0, 0.01, 0.3, 1.0]))
            run_id = self._chance.choice(sorted(self._world.begun))
            step = self._chance.choice([self._decide] * 6 + [self._note, self._report, self._halt])
            with contextlib.suppress(StorageFailure):
                await step(run_id)

    async def begin(self, run_id: str) -> None:
        """Start a run, above which all runs have been started."""
        body = RunStartedBody(parent_run_id=RUNS[run_id])
        change = StateChange(started=body)
        wanted = make.append(
            run_id, (self._world.event(),), changes=(change,), parent_run_id=RUNS[run_id]
        )
        await self._append(wanted, again=1.0)
        self._world.begun.add(run_id)

    async def _decide(self, run_id: str) -> None:
        """Judge an action: let it through once, within the budget and the run's limit."""
        reservation = make.new_id("res")
        action_id = f"act_{self._chance.randrange(ACTIONS)}"
        amount = self._chance.choice([0, 0, 1, 3])
        reserve = (Reserve(BUDGET, amount),) if amount else ()
        asked = make.ask(run_id, action_id=action_id, reserve=reserve, reservation_id=reservation)
        for number in range(4):
            asked = structs.replace(asked, may_remember=number == 0)
            async with self._asking() as (gateway, ask):
                journal = gateway.journal
                try:
                    seen = await ask(journal.gather(asked))
                    room = not amount or seen.used[BUDGET] + amount <= LIMIT
                    calls = CounterReads("calls", plus=1, at_most=CALLS_MAX)
                    within = run_id != "counted" or seen.state.counters.get("calls", 0) < CALLS_MAX
                    reads = ((calls, within),) if run_id == "counted" else ()
                    allows = seen.action is None and not seen.halted and room and within
                    await self._meanwhile(run_id)
                    draft = self._world.event()
                    held = {BUDGET: amount} if amount else {}
                    made = make.record(action_id, draft.id, reservations=held)
                    wanted = make.append(
                        run_id,
                        (draft,),
                        changes=(StateChange(add={"calls": 1}, action=made),),
                        action_id=action_id,
                        allows=True,
                        reads=reads,
                        reservation_id=reservation,
                        gathered_version=seen.version,
                        gathered_generation=seen.generation,
                        remembered=seen.remembered,
                        confirm=held,
                        confirm_deadline_ns=2**62,
                    )
                    if not allows:
                        wanted = make.append(
                            run_id,
                            (draft,),
                            reservation_id=reservation,
                            remembered=seen.remembered,
                        )
                    outcome = await self._append(wanted, gateway, again=0.3)
                finally:
                    await journal.forget(reservation)
                if isinstance(outcome, Refused):
                    continue
                if allows and outcome is not None:
                    self._world.history.let_through.append((run_id, made))
                return

    async def _meanwhile(self, run_id: str) -> None:
        """What happens between a judgement and its append: time passes, now and then more."""
        await asyncio.sleep(self._chance.choice([0.0, 0.001, 0.05, 0.4]))
        parent = RUNS[run_id]
        match self._chance.randrange(30):
            case 0 if parent is not None:
                with contextlib.suppress(StorageFailure):
                    await self._halt(parent)
            case 1:
                # Holds come due, and somebody else finds them.
                self._world.server.clock_ahead += 2 * HELD_SECONDS
                with contextlib.suppress(StorageFailure):
                    async with self._asking() as (gateway, ask):
                        await ask(gateway.journal.gather(make.wish("look", 1, BUDGET, "top")))
                        await gateway.journal.forget("look")
                await asyncio.sleep(0.01)
            case _:
                return

    async def _note(self, run_id: str) -> None:
        drafts = [self._world.event() for _ in range(self._chance.randint(1, 3))]
        await self._append(make.append(run_id, drafts), again=0.8)

    async def _halt(self, run_id: str) -> None:
        if self._chance.random() < 0.4:
            halt = make.append(run_id, (self._world.event(),), changes=(StateChange(halted=True),))
            await self._append(halt, again=0.5)

    async def _report(self, _run_id: str) -> None:
        """A call that was let through failed: what it held comes back, once."""
        if not self._world.history.let_through:
            return
        run_id, made = self._chance.choice(self._world.history.let_through)
        closed = structs.replace(made, report_digest="d" * 64, status="executed", reservations={})
        await self._append(
            make.append(
                run_id,
                (self._world.event(),),
                changes=(StateChange(closed=closed),),
                settle_action=made.action_id if made.reservations else None,
                release=dict(made.reservations),
            ),
            again=0.5,
        )

    @contextlib.asynccontextmanager
    async def _asking(self) -> Any:
        """A gateway that is up; when it dies, what is asked of it ends as a broken call does."""
        up = [each for each in self._world.gateways if each.process.alive]
        if not up:
            raise StorageFailure("no gateway")
        gateway = self._chance.choice(up)

        async def ask(call: Any) -> Any:
            task = asyncio.ensure_future(call)
            gateway.asking.add(task)
            try:
                return await task
            except asyncio.CancelledError as error:
                if self._world.over:
                    raise
                raise OutcomeUnknown("the gateway died") from error
            finally:
                gateway.asking.discard(task)

        yield gateway, ask

    async def _append(
        self, wanted: Append, gateway: Gateway | None = None, *, again: float
    ) -> Appended | Refused | None:
        """Append; when that fails perhaps once more, the very same. None: it failed."""
        outcome: Appended | Refused
        told = Told(wanted)
        told = self._world.history.told.setdefault(wanted.drafts[0].id, told)
        while True:
            try:
                async with self._asking() as (other, ask):
                    outcome = await ask((gateway or other).journal.append(wanted))
            except StorageFailure as failure:
                told.unknown = told.unknown or isinstance(failure, OutcomeUnknown)
                if self._chance.random() >= again:
                    return None
                await asyncio.sleep(0.05)
                if gateway is not None and not gateway.process.alive:
                    return None
                continue
            if isinstance(outcome, Appended):
                told.seqs.append(outcome.first_seq)
            return outcome
