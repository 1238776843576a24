"""A gateway from its stores and its engine: the application, and the loops that run beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from msgspec import Struct

from gateway.ambient import Ambient, SystemAmbient
from gateway.api.app import build
from gateway.api.exchange import App
from gateway.api.parts import Parts
from gateway.assessing.canary_watch import CanaryWatch
from gateway.audit.log.tree import Logs
from gateway.checking.authenticate import KeyCache, pepper
from gateway.checking.checker import Checker
from gateway.checking.context_memory import ContextMemory
from gateway.checking.reporter import Reporter
from gateway.checking.spool_drain import SpoolDrain
from gateway.checking.timers import Timers
from gateway.config import Settings
from gateway.domain import sealing
from gateway.engines.port import Engine
from gateway.policies.rulebook import Rulebook
from gateway.replay.proving import Proving
from gateway.replay.rejudging import Rejudging
from gateway.storage.spool import FileSpool
from gateway.telemetry import Metrics
from gateway.wiring.backend import backend
from gateway.wiring.engine import engine_of
from gateway.wiring.intent import opened_assessor
from gateway.wiring.reexecute import re_executor
from gateway.wiring.stores import GatewayStores

PROJECT = "default"
# Live checks ask the same evaluator and the same assessor, and do not wait behind many.
REJUDGED_AT_ONCE = 2


class Gateway(Struct, frozen=True, kw_only=True):
    """An opened gateway: its application, and the loops that must run beside it."""

    app: App
    parts: Parts
    rulebook: Rulebook
    keys: KeyCache
    timers: Timers
    spool_drain: SpoolDrain
    canary_watch: CanaryWatch
    proving: Proving
    engine: Engine
    master: bytes
    project_id: str


class Stopping(Struct):
    """Whether the gateway wants no new requests."""

    now: bool = False

    def __call__(self) -> bool:
        return self.now


class Forgetting:
    """Lets go of content keys in memory when any were destroyed, by whichever gateway.

    Not at other changes: those in memory are what checks go on with while Control is away.
    """

    def __init__(self, stores: GatewayStores) -> None:
        self._stores = stores
        self._seen: int | None = None

    async def __call__(self) -> None:
        erasures = await self._stores.control.erasures()
        if erasures != self._seen:
            # The keyring first: what is opened again must not come from it.
            self._stores.keyring.forget()
            self._stores.journal.forget_keys()
        self._seen = erasures


@asynccontextmanager
async def open_gateway(
    settings: Settings,
    *,
    ambient: Ambient | None = None,
    metrics: Metrics | None = None,
    base_url: str = "",
    stopping: Stopping | None = None,
) -> AsyncIterator[Gateway]:
    """A gateway on the stores that the settings name, closed in the reverse order.

    Raises ConfigInvalid when the data folder is busy, or its key or settings are wrong. A policy
    folder that is broken raises nothing: the gateway is then not ready and says why.
    """
    world = ambient or SystemAmbient()
    counted = metrics or Metrics()
    url = settings.base_url or base_url
    async with AsyncExitStack() as stack:
        chosen = backend(settings)
        stores = await stack.enter_async_context(chosen.gateway_stores(settings, world, url))
        engine = engine_of(settings, counted.evaluator_replaced.inc)
        stack.push_async_callback(engine.close)
        assessor = await stack.enter_async_context(opened_assessor(settings, counted))
        rulebook = Rulebook(
            chosen.policy_folder(settings),
            engine,
            stores.control,
            world,
            settings.policy_poll_seconds,
            on_reload=lambda outcome: counted.policy_reloads.labels(outcome).inc(),
        )
        await rulebook.reload()
        keys = KeyCache(stores.control, pepper(stores.master), world, Forgetting(stores))
        await keys.refresh()
        spool = FileSpool(
            Path(settings.spool or Path(settings.data) / "spool"),
            stores.master,
            settings.spool_bytes,
        )
        stack.push_async_callback(spool.close)
        context = ContextMemory()
        checker = Checker(
            current=rulebook.current,
            engine=engine,
            journal=stores.journal,
            ambient=world,
            metrics=counted,
            recall=stores.recalling.reply,
            context=context,
            spool=spool,
            assessor=assessor,
            base_url=url,
        )
        await checker.outage.recover()
        reporter = Reporter(
            current=rulebook.current,
            journal=stores.journal,
            ambient=world,
            metrics=counted,
            find_older=stores.recalling.find_action,
            is_spooled=checker.outage.waiting.knows,
            context=context,
        )
        rejudging, one_by_one = (
            Rejudging(
                stores.ledger,
                stores.keyring.run_secret,
                engine,
                rulebook.ruleset,
                assessor=assessor,
                at_once=at_once,
            )
            for at_once in (REJUDGED_AT_ONCE, 1)
        )
        parts = Parts(
            authenticate=keys.authenticate,
            still=keys.still,
            checker=checker,
            reporter=reporter,
            journal=stores.journal,
            ledger=stores.ledger,
            control=stores.control,
            keyring=stores.keyring,
            rulebook=rulebook,
            rejudging=rejudging,
            ambient=world,
            metrics=counted,
            logs=Logs(stores.ledger),
            cursor_key=sealing.derive(stores.master, "cursors"),
            max_concurrent_checks=settings.max_concurrent_checks,
            stopping=stopping or Stopping(),
            re_executor=re_executor(
                settings,
                ledger=stores.ledger,
                open_secret=stores.keyring.run_secret,
                engine=engine,
                current=rulebook.current,
                assessor=assessor,
            ),
        )
        yield Gateway(
            app=build(parts),
            parts=parts,
            rulebook=rulebook,
            keys=keys,
            timers=Timers(stores.journal, world),
            spool_drain=SpoolDrain(
                spool=spool,
                journal=stores.journal,
                outage=checker.outage,
                knows=stores.recalling.knows,
                is_erased=stores.recalling.is_erased,
                ambient=world,
                metrics=counted,
            ),
            canary_watch=CanaryWatch(assessor, counted),
            proving=Proving(one_by_one, stores.control, counted),
            engine=engine,
            master=stores.master,
            project_id=await stores.control.project(PROJECT),
        )
