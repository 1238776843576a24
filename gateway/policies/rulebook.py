"""The active policy: one immutable ruleset that is replaced whole, or not at all.

A changed folder is read, checked, compiled, tried on its own golden cases and kept as a version;
only then does the reference change. Whoever took the old ruleset finishes with it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import structlog
from msgspec import Struct

from gateway.ambient import Ambient
from gateway.domain.instants import rfc3339
from gateway.domain.ruleset import Ruleset
from gateway.engines.port import Engine
from gateway.errors import EngineUnavailable, PolicyInvalid, StorageFailure
from gateway.policies import load, source, testing
from gateway.policies.source import Signature, Source
from gateway.policies.versions import PolicyVersions, kept

POLL_SECONDS = 0.5
OLD_VERSIONS_MAX = 16

_log = structlog.get_logger()


class Refusal(Struct, frozen=True):
    """Why the folder as it is now did not become active. `at` is RFC 3339."""

    at: str
    findings: tuple[str, ...]


class Rulebook:
    """Holds the active ruleset of a folder and finds old ones by their digest.

    `poll_seconds` is how often `run` looks at the folder.
    """

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        versions: PolicyVersions,
        ambient: Ambient,
        poll_seconds: float = POLL_SECONDS,
        on_reload: Callable[[Literal["active", "refused"]], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._engine = engine
        self._versions = versions
        self._ambient = ambient
        self._poll_seconds = poll_seconds
        self._on_reload = on_reload
        self._active: Ruleset | None = None
        self._old: OrderedDict[str, Ruleset] = OrderedDict()
        self._settled: Signature | None = None
        self._seen: Signature | None = None
        self._reloading = asyncio.Lock()
        self.last_error: Refusal | None = None

    def current(self) -> Ruleset | None:
        """The ruleset of this moment, to be taken once per check; None without one."""
        return self._active

    async def ruleset(self, digest: str) -> Ruleset:
        """Any version ever used. Raises NotFound."""
        if self._active is not None and self._active.digest == digest:
            return self._active
        if (known := self._old.get(digest)) is not None:
            self._old.move_to_end(digest)
            return known
        found = await kept(self._versions, digest)
        self._remember(found)
        return found

    async def reload(self) -> bool:
        """Make the folder as it is now active. False when it must not be; `last_error` says why."""
        async with self._reloading:
            before = await asyncio.to_thread(self._signature)
            try:
                read, ruleset = await asyncio.to_thread(self._read, before)
                await self._try_out(read, ruleset)
            except (PolicyInvalid, EngineUnavailable, StorageFailure) as error:
                self._refuse(error, before)
                self._on_reload("refused")
                return False
            self._activate(ruleset, before)
            self._on_reload("active")
            return True

    async def step(self) -> int:
        """Look whether the folder changed, and reload it once the change has come to rest.

        A change counts when it looks the same twice: what is half written is not taken. Returns 1
        when the folder was reloaded.
        """
        signature = await asyncio.to_thread(self._signature)
        if signature == self._settled:
            return 0
        if signature != self._seen:
            self._seen = signature
            return 0
        await self.reload()
        return 1

    async def run(self, stop: asyncio.Event) -> None:
        """Repeat `step` until told to stop."""
        while not stop.is_set():
            await self.step()
            try:
                await asyncio.wait_for(stop.wait(), self._poll_seconds)
            except TimeoutError:
                continue

    def _read(self, before: Signature) -> tuple[Source, Ruleset]:
        read = source.read(self._folder)
        if self._signature() != before:
            raise PolicyInvalid([f"{source.MANIFEST}:1: the folder changed while it was read"])
        return read, load.load(read.files, read.commit)

    async def _try_out(self, read: Source, ruleset: Ruleset) -> None:
        """Compile, judge the golden cases, keep the version. Raises before anything has changed."""
        await self._engine.load(ruleset)
        outcomes, findings = await testing.run_cases(read.files, ruleset, self._engine)
        failed = [f"{o.name}: {'; '.join(o.details[:3])}" for o in outcomes if not o.passed]
        if findings or failed:
            raise PolicyInvalid([*findings, *failed])
        at = rfc3339(self._ambient.now_ns())
        await self._versions.save_version(ruleset.digest, read.files, ruleset.commit, at)

    def _activate(self, ruleset: Ruleset, signature: Signature) -> None:
        if self._active is not None:
            self._remember(self._active)
        changed = self._active is None or self._active.digest != ruleset.digest
        self._active = ruleset
        self._settled = signature
        self.last_error = None
        if changed:
            _log.info("policy_activated", digest=ruleset.digest, rules=len(ruleset.rules))

    def _refuse(self, error: Exception, signature: Signature) -> None:
        findings = error.findings if isinstance(error, PolicyInvalid) else [str(error)]
        self.last_error = Refusal(rfc3339(self._ambient.now_ns()), tuple(findings))
        # A folder that is wrong stays wrong until it changes; a store or an engine may come back.
        if isinstance(error, PolicyInvalid):
            self._settled = signature
        _log.warning("policy_refused", findings=len(findings), first=findings[0][:200])

    def _signature(self) -> Signature:
        try:
            return source.signature(self._folder)
        except PolicyInvalid:
            return ()

    def _remember(self, ruleset: Ruleset) -> None:
        self._old[ruleset.digest] = ruleset
        self._old.move_to_end(ruleset.digest)
        while len(self._old) > OLD_VERSIONS_MAX:
            self._old.popitem(last=False)
