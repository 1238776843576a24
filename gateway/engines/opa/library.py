"""The rulesets that this gateway knows to be on the server, brought there and brought back."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from gateway.ambient import Ambient
from gateway.domain.ruleset import Ruleset
from gateway.engines.examining import examined
from gateway.engines.opa import shelf
from gateway.engines.opa.client import Client
from gateway.engines.opa.copies import Copy, copy_of
from gateway.engines.opa.limits import Limits
from gateway.engines.opa.pushing import push, remove
from gateway.errors import EngineUnavailable, PolicyInvalid

# What could not be brought to the server is not tried again for so long.
PAUSE_SECONDS: Final = 1.0

_log = structlog.get_logger()


class Library:
    """Copies by digest, the least recently used first. `on_version` hears the server's version."""

    def __init__(
        self, client: Client, limits: Limits, ambient: Ambient, on_version: Callable[[str], None]
    ) -> None:
        self._client = client
        self._limits = limits
        self._ambient = ambient
        self._on_version = on_version
        self._copies: OrderedDict[str, Copy] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[Copy]] = {}
        self._not_before: dict[str, float] = {}
        # When a copy was used, and when that was written down on the server.
        self._used: dict[str, float] = {}
        self._touched: dict[str, float] = {}
        # Loading and making room take turns, so that none takes away what the other brings.
        self._turn = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()

    @property
    def at_work(self) -> bool:
        return bool(self._under_way or self._background)

    def known(self, digest: str) -> Copy | None:
        """A copy that was loaded; asking for it is using it."""
        copy = self._copies.get(digest)
        if copy is not None:
            self._copies.move_to_end(digest)
            now = self._used[copy.key] = self._ambient.monotonic()
            if now - self._touched.get(copy.key, 0.0) > shelf.TOUCH_SECONDS:
                self._later(self._touch(copy))
        return copy

    async def load(self, ruleset: Ruleset) -> Copy:
        """The copy of a ruleset, pushed and verified, once however many ask at the same time.

        Raises PolicyInvalid, EngineUnavailable.
        """
        if (copy := self._copies.get(ruleset.digest)) is not None:
            return copy
        return await self._once(ruleset.digest, lambda: self._load(ruleset))

    async def restore(self, digest: str, copy: Copy) -> bool:
        """Bring a copy back that the server has lost; whether it is there again.

        Goes on when the caller waits no longer. What failed a moment ago is not tried again.
        """
        if self._ambient.monotonic() < self._not_before.get(digest, 0.0):
            return False
        try:
            await self._once(digest, lambda: self._restore(digest, copy))
        except (EngineUnavailable, PolicyInvalid):
            return False
        return True

    async def close(self) -> None:
        tasks = [*self._under_way.values(), *self._background]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _once(self, digest: str, work: Callable[[], Coroutine[Any, Any, Copy]]) -> Copy:
        if (task := self._under_way.get(digest)) is None:
            task = asyncio.get_running_loop().create_task(work())
            self._under_way[digest] = task
            task.add_done_callback(lambda task: self._ended(digest, task))
        return await asyncio.shield(task)

    def _ended(self, digest: str, task: asyncio.Task[Copy]) -> None:
        del self._under_way[digest]
        if not task.cancelled():
            task.exception()  # seen, also when whoever asked has gone

    async def _load(self, ruleset: Ruleset) -> Copy:
        copy = copy_of(ruleset, await examined(ruleset))
        async with self._turn:
            try:
                await self._push(copy, verify=True)
            except PolicyInvalid:
                await self._clean(copy)
                raise
        self._copies[ruleset.digest] = copy
        while len(self._copies) > self._limits.rulesets:
            self._copies.popitem(last=False)
        await self._touch(copy)
        self._later(self._make_room(copy))
        return copy

    async def _restore(self, digest: str, copy: Copy) -> Copy:
        """What is pushed was verified when it was loaded."""
        _log.warning("ruleset_missing_on_opa", ruleset=digest)
        self._not_before = {digest: self._ambient.monotonic() + PAUSE_SECONDS}
        await self._push(copy, verify=False)
        self._not_before.clear()
        await self._touch(copy)
        return copy

    async def _push(self, copy: Copy, *, verify: bool) -> None:
        try:
            async with asyncio.timeout(self._limits.load_wall):
                self._on_version(await push(self._client, copy, self._limits, verify=verify))
        except TimeoutError as error:
            raise EngineUnavailable("OPA takes too long over a policy") from error

    async def _clean(self, copy: Copy) -> None:
        """A refused ruleset leaves nothing behind, if it can be helped."""
        try:
            async with asyncio.timeout(self._limits.load_wall):
                await remove(self._client, copy.key, len(copy.modules))
        except (TimeoutError, EngineUnavailable):
            _log.warning("ruleset_left_on_opa", key=copy.key)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _make_room(self, copy: Copy) -> None:
        """Remove from the server what was used least. When that fails, the next load tries again.

        A version is forgotten before it goes, so that whoever asks for it has it loaded again.
        """
        try:
            async with self._turn, asyncio.timeout(self._limits.load_wall):
                for other in list(self._copies.values()):
                    if self._used.get(other.key, 0.0) > self._touched.get(other.key, 0.0):
                        await self._touch(other)
                old = await shelf.superfluous(
                    self._client, self._limits.rulesets, copy, self._ambient.now_ns() / 1e9
                )
                for key, place in old.items():
                    for digest in [d for d, other in self._copies.items() if other.key == key]:
                        del self._copies[digest]
                    await shelf.clear(self._client, key, place)
        except (TimeoutError, EngineUnavailable):
            _log.warning("rulesets_left_on_opa")

    async def _touch(self, copy: Copy) -> None:
        known = {other.key for other in self._copies.values()} | {copy.key}
        self._used = {key: at for key, at in self._used.items() if key in known}
        self._touched = {key: at for key, at in self._touched.items() if key in known}
        self._touched[copy.key] = self._ambient.monotonic()
        try:
            await shelf.touch(self._client, copy, self._ambient.now_ns() / 1e9)
        except EngineUnavailable:
            self._touched.pop(copy.key, None)
