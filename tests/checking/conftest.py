"""A checker on a real journal; rules answered by a function, so that a test says what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.checking.checker import Checker
from gateway.checking.context_memory import ContextMemory
from gateway.checking.reporter import Reporter
from gateway.checking.spool_drain import SpoolDrain
from gateway.checking.timers import Timers
from gateway.domain.reply import CheckReply
from gateway.domain.rule_results import EngineInfo, RuleResult
from gateway.domain.ruleset import Ruleset
from gateway.domain.sealing import new_secret
from gateway.intent.port import Assessor
from gateway.replay.recalling import Recalling
from gateway.storage.embedded.control import EmbeddedControl
from gateway.storage.embedded.drain import EmbeddedDrain
from gateway.storage.embedded.journal import EmbeddedJournal
from gateway.storage.embedded.ledger import open_ledger
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Caller, Reloaded
from gateway.storage.spool import FileSpool
from gateway.telemetry import Metrics
from gateway.worker.recorder import Recorder
from tests import make

Says = Callable[[str, dict[str, Any]], RuleResult]
CALLER = Caller("key_1", "prj_1", "production", frozenset({"check", "read"}))


class SayingEngine:
    """The engine's seam, backed by a function of rule id and input. `meanwhile` happens once, while
    a frame is evaluated."""

    info = EngineInfo("saying", "1", "c")

    def __init__(self) -> None:
        self.says: Says = lambda rule, frame: RuleResult(rule)
        self.frames: list[dict[str, Any]] = []
        self.lets_others_go_on = False
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def load(self, ruleset: Ruleset) -> None:
        return

    async def evaluate(
        self, ruleset: Ruleset, rules: tuple[str, ...], frame: bytes
    ) -> tuple[RuleResult, ...]:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        seen = msgspec.json.decode(frame)
        self.frames.append(seen)
        if self.lets_others_go_on:
            await asyncio.sleep(0)
        return tuple(self.says(rule, seen) for rule in rules)

    async def close(self) -> None:
        return


class Bench:
    """Everything a checking test touches. `reopen` is a restart of the gateway."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ambient = make.FixedAmbient()
        self.engine = SayingEngine()
        self.rules = make.ruleset(
            make.rule("r", needs=frozenset({"state", "budgets", "recent"})),
            tools=(make.payment_tool(),),
        )
        self.master = new_secret()
        self.spool_bytes = 64 << 20
        self.assessor: Assessor | None = None

    async def open(self) -> Bench:
        self.control = EmbeddedControl(self.folder / "control.db", self.ambient)
        keyring = Keyring(self.control, self.master)
        self.ledger = await open_ledger(self.folder / "ledger.db", writing=False)
        recalling = self.recalling = Recalling(self.ledger, keyring, "http://gateway")

        async def reload(project_id: str, run_id: str) -> Reloaded | None:
            found = await recalling.run(project_id, run_id)
            if found is None:
                return None
            state, wrapped, actions = found
            return Reloaded(state=state, wrapped_secret=wrapped, actions=actions)

        self.journal = EmbeddedJournal(
            self.folder / "journal.db", keyring=keyring, ambient=self.ambient, reload=reload
        )
        recalling.journal = self.journal
        self.metrics = Metrics()
        context = ContextMemory()
        parts: dict[str, Any] = {
            "journal": self.journal,
            "ambient": self.ambient,
            "metrics": self.metrics,
        }
        self.spool = FileSpool(
            self.folder / "spool", self.master, self.spool_bytes, segment_bytes=20_000
        )
        self.checker = Checker(
            current=lambda: self.rules,
            engine=self.engine,
            recall=recalling.reply,
            base_url="http://gateway",
            context=context,
            spool=self.spool,
            assessor=self.assessor,
            **parts,
        )
        self.outage = self.checker.outage
        await self.outage.recover()
        self.spool_drain = SpoolDrain(
            spool=self.spool,
            outage=self.outage,
            knows=recalling.knows,
            is_erased=recalling.is_erased,
            **parts,
        )
        self.reporter = Reporter(
            current=lambda: self.rules,
            find_older=recalling.find_action,
            context=context,
            is_spooled=self.outage.waiting.knows,
            **parts,
        )
        self.timers = Timers(self.journal, self.ambient)
        return self

    async def close(self) -> None:
        await self.spool.close()
        await self.journal.close()
        await self.ledger.close()
        await self.control.close()

    async def reopen(self) -> None:
        await self.close()
        await self.open()

    async def drain(self) -> None:
        """Record everything that waits in the journal, as the worker does."""
        drain = EmbeddedDrain(self.folder / "journal.db")
        ledger = await open_ledger(self.folder / "ledger.db")
        keyring = Keyring(self.control, self.master)
        recorder = Recorder(drain, ledger, keyring.run_secret, self.ambient)
        while await recorder.step():
            pass
        await drain.close()
        await ledger.close()

    async def check(self, caller: Caller = CALLER, **fields) -> CheckReply:
        return await self.checker.check(caller, make.check(**fields), 0.0)

    def always(self, *effects: str, **fields) -> None:
        self.engine.says = lambda rule, frame: make.says(rule, *effects, **fields)


@pytest.fixture
async def bench(tmp_path):
    opened = await Bench(tmp_path).open()
    yield opened
    await opened.close()
