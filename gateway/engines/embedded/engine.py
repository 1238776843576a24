"""The embedded engine: regorus in a process of its own, behind the engine port."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import itertools
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from gateway.domain.rule_results import EngineInfo, RuleResult
from gateway.domain.ruleset import Ruleset
from gateway.engines import answers
from gateway.engines.complaints import Failed, one_line
from gateway.engines.embedded.compiling import compiled
from gateway.engines.embedded.limits import Limits
from gateway.engines.embedded.plans import Plan
from gateway.engines.embedded.pool import Pool
from gateway.engines.embedded.requests import Evaluation, Prepared
from gateway.errors import EngineUnavailable, PolicyInvalid
from gateway.policies.rego.builtins import ALLOWED

DISTRIBUTION = "gordon-to-regorus"


class EmbeddedEngine:
    """Answers from a child process, so that no rule and no frame can take the gateway down.

    `on_replaced` is called each time a serving process had to be replaced: an attack, or trouble.
    """

    def __init__(
        self, limits: Limits | None = None, on_replaced: Callable[[], object] = lambda: None
    ) -> None:
        self._limits = limits or Limits()
        self._info = EngineInfo(
            "regorus", importlib.metadata.version(DISTRIBUTION), _capabilities(self._limits)
        )
        self._pool = Pool(self._limits, self._count)
        self._on_replaced = on_replaced
        self.replaced = 0
        self._numbers = itertools.count(1)
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Plan]] = {}
        self._prepared: OrderedDict[tuple[str, tuple[str, ...]], Prepared] = OrderedDict()

    @property
    def info(self) -> EngineInfo:
        return self._info

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the evaluators that are ready, the serving one first."""
        return self._pool.pids

    async def load(self, ruleset: Ruleset) -> None:
        await self._plan(ruleset)

    async def evaluate(
        self, ruleset: Ruleset, rules: tuple[str, ...], frame: bytes
    ) -> tuple[RuleResult, ...]:
        if not rules:
            return ()
        key = (ruleset.digest, rules)
        prepared = self._prepared.get(key)
        if prepared is None:
            try:
                prepared = self._prepare(key, await self._plan(ruleset))
            except PolicyInvalid as invalid:
                why = one_line(f"the policy does not compile: {invalid}")
                return answers.of_each(rules, [Failed("error", why)] * len(rules))
            except EngineUnavailable:
                return answers.of_each(rules, [Failed("unavailable")] * len(rules))
        self._prepared.move_to_end(key)
        done = asyncio.get_running_loop().create_future()
        evaluation = Evaluation(prepared, frame, self._limits.evaluate_wall, done)
        self._pool.submit(evaluation)
        await done
        if evaluation.whole is not None:
            return answers.of_all(rules, evaluation.whole)
        return answers.of_each(rules, evaluation.outcomes)

    async def close(self) -> None:
        for task in self._loading.values():
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        await self._pool.close()

    def _count(self) -> None:
        self.replaced += 1
        self._on_replaced()

    def _prepare(self, key: tuple[str, tuple[str, ...]], made: Plan) -> Prepared:
        if (known := self._prepared.get(key)) is not None:
            return known
        rules = key[1]
        modules = made.order(rules)
        prepared = Prepared(next(self._numbers), made.base, made.data, modules, len(rules))
        self._prepared[key] = prepared
        self._pool.keep(prepared)
        while len(self._prepared) > self._limits.engines:
            self._pool.drop(self._prepared.popitem(last=False)[1])
        return prepared

    async def _plan(self, ruleset: Ruleset) -> Plan:
        """The plan of a ruleset, made once however many ask for it at the same time."""
        digest = ruleset.digest
        if (known := self._plans.get(digest)) is not None:
            self._plans.move_to_end(digest)
            return known
        if (loading := self._loading.get(digest)) is None:
            loading = asyncio.get_running_loop().create_task(self._load(ruleset))
            self._loading[digest] = loading
            loading.add_done_callback(lambda task: self._loaded(digest, task))
        return await asyncio.shield(loading)

    def _loaded(self, digest: str, task: asyncio.Task[Plan]) -> None:
        del self._loading[digest]
        if not task.cancelled():
            task.exception()  # seen, also when whoever asked has gone

    async def _load(self, ruleset: Ruleset) -> Plan:
        made = await compiled(next(self._numbers), ruleset, self._limits)
        await self._pool.start()
        self._plans[ruleset.digest] = made
        while len(self._plans) > self._limits.policies:
            self._forget(*self._plans.popitem(last=False))
        return made

    def _forget(self, digest: str, made: Plan) -> None:
        for key in [key for key in self._prepared if key[0] == digest]:
            self._pool.drop(self._prepared.pop(key))
        self._pool.forget(made.base)


def _capabilities(limits: Limits) -> str:
    """The digest of what may change an answer: the built-ins and the limits."""
    described = msgspec.json.encode([sorted(ALLOWED), limits], order="sorted")
    return hashlib.sha256(described).hexdigest()
