"""Telling witnesses, without being asked, how the log of every project stands.

A log only shows that its end was cut off to one who saw a checkpoint elsewhere. Of several workers
one does it. What a witness did not take is tried again; the log says when that begins and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from gateway.ambient import Ambient
from gateway.audit.log import checkpoint
from gateway.audit.log.checkpoint import NoteBroken
from gateway.audit.log.growing import Leaves
from gateway.audit.log.tree import Logs
from gateway.audit.log.witnesses import Log, Outcome, Witness
from gateway.audit.signing.ed25519 import PublicKeys
from gateway.audit.signing.keys import NoSigningKey, SigningKeys
from gateway.errors import StorageFailure
from gateway.telemetry import logger
from gateway.worker.recorder import Figures

RETRY_SECONDS = 30.0
# A worker that died is replaced by another after so long, and the time between two steps.
OWNED_SECONDS = 120.0
# What is remembered of a log would not show that the ledger lost it: it is read again that often.
REMEMBERED_SECONDS = 86_400.0
# In place of a time, where another worker is the one who knows.
SOMEBODY_ELSE = -1.0
# What fails before any witness is asked, in place of a witness and a project.
NOT_MADE = ("", "")

Own = Callable[[float], Awaitable[bool]]

_log = logger("witnessing")


class GrowingLogs(Leaves, Protocol):
    """A ledger that says how far the log of each project has come."""

    async def log_sizes(self) -> Mapping[str, int]: ...


class Witnessing:
    """Tells each witness of each log that grew. `own` asks to be the one who does."""

    def __init__(
        self,
        *,
        ledger: GrowingLogs,
        signing: SigningKeys,
        witnesses: Sequence[Witness],
        figures: Figures,
        ambient: Ambient,
        interval_seconds: float,
        own: Own | None = None,
    ) -> None:
        self._ledger = ledger
        self._signing = signing
        self._witnesses = witnesses
        self.figures = figures
        self._ambient = ambient
        self._interval_seconds = interval_seconds
        self._own = own
        # All are gone through again and again: one that was let go of would be read from its start.
        self._logs = Logs(ledger, most=None)
        self._read_at = ambient.monotonic()
        self._told: dict[tuple[str, str], int] = {}
        self._failing: set[tuple[str, str]] = set()

    async def step(self) -> bool:
        """Tell what is new; whether nothing is left to be tried again."""
        if not await self._owns():
            self._forget()
            self.figures.witnessed_at = SOMEBODY_ELSE
            return True
        if self._ambient.monotonic() - self._read_at > REMEMBERED_SECONDS:
            self._forget()
        began = self._ambient.now_ns() / 1e9
        sizes = await self._ledger.log_sizes()
        grown = [
            project_id
            for project_id, size in sizes.items()
            if any(self._told.get((each.kind, project_id)) != size for each in self._witnesses)
        ]
        if grown:
            signer = await self._signing.signer()
            if signer is None:
                raise NoSigningKey("There is no signing key: checkrein audit keys create")
            keys = await self._signing.public_keys()
            for project_id in grown:
                tree = self._logs.of(project_id)
                now = await tree.checkpoint(await tree.size())
                log = Log(project_id, tree, now, checkpoint.sign(now, signer))
                for witness in self._witnesses:
                    await self._tell(witness, log, keys)
                if not await self._owns():
                    return True
        if self._failing - {NOT_MADE}:
            return False
        self.figures.witnessed_at = began
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """At once, then as often as was asked for; sooner again after a failure."""
        # Until all were told once, from now on: an alert must not wait for a first success.
        self.figures.witnessed_at = self._ambient.now_ns() / 1e9
        try:
            while not stop.is_set():
                done = await self._tried()
                seconds = self._interval_seconds
                with contextlib.suppress(TimeoutError):
                    pause = seconds if done else min(seconds, RETRY_SECONDS)
                    await asyncio.wait_for(stop.wait(), pause)
        finally:
            if self._own is not None:
                with contextlib.suppress(StorageFailure):
                    await self._own(0)

    async def _tried(self) -> bool:
        try:
            done = await self.step()
        # Broad, because a witness may be anything, and recording goes on beside it.
        except Exception as failure:  # noqa: BLE001
            self._complain(NOT_MADE, "checkpoints_not_made", failure)
            for witness in self._witnesses:
                self._count(witness, "failed")
            return False
        self._failing.discard(NOT_MADE)
        return done

    async def _owns(self) -> bool:
        return self._own is None or await self._own(self._interval_seconds + OWNED_SECONDS)

    def _forget(self) -> None:
        self._logs = Logs(self._ledger, most=None)
        self._read_at = self._ambient.monotonic()
        self._told.clear()

    async def _tell(self, witness: Witness, log: Log, keys: PublicKeys) -> None:
        which = (witness.kind, log.project_id)
        if self._told.get(which) == log.now.size:
            return
        try:
            await witness.tell(log, keys)
        except NoteBroken as error:
            self._count(witness, "contradicted")
            self._complain(which, "log_contradicted", error)
        # Broad, because one witness must not keep the others from being told.
        except Exception as error:  # noqa: BLE001
            self._count(witness, "failed")
            self._complain(which, "checkpoint_not_taken", error)
        else:
            self._count(witness, "pushed")
            self._told[which] = log.now.size
            if which in self._failing:
                self._failing.discard(which)
                _log.info("checkpoint_taken_again", witness=which[0], project_id=which[1])

    def _count(self, witness: Witness, outcome: Outcome) -> None:
        name = f"{witness.kind} {outcome}"
        self.figures.checkpoints[name] = self.figures.checkpoints.get(name, 0) + 1

    def _complain(self, which: tuple[str, str], event: str, error: Exception) -> None:
        """Once, until it is over."""
        if which in self._failing:
            return
        self._failing.add(which)
        problem = f"{type(error).__name__}: {error}"[:300]
        _log.error(event, witness=which[0], project_id=which[1], problem=problem)
