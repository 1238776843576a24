"""The witnesses that settings name, each told a project's checkpoints in its own way.

Before one gets the next, the log is held against what it saw last. A folder or a repository has a
folder in it for each project; an address is told of all of them.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Final, Literal, Protocol

from msgspec import Struct

from gateway.ambient import Ambient
from gateway.audit.log import file_witness, git_witness, webhook_witness
from gateway.audit.log.checkpoint import Checkpoint, NoteBroken
from gateway.audit.log.git_witness import WitnessAway
from gateway.audit.log.tree import LogTree
from gateway.audit.signing.ed25519 import PublicKeys

Kind = Literal["folder", "git", "webhook"]
# `contradicted`: the log does not go on from what the witness saw.
Outcome = Literal["pushed", "failed", "contradicted"]
# A project's id is the name of its folder.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Log(Struct, frozen=True):
    """How a project's log stands, signed, and the tree that leads there."""

    project_id: str
    tree: LogTree
    now: Checkpoint
    note: bytes


class Witness(Protocol):
    """Somebody else who keeps checkpoints."""

    @property
    def kind(self) -> Kind: ...

    async def tell(self, log: Log, keys: PublicKeys) -> None:
        """Hold the log against what this witness saw last, then give it the new checkpoint.

        Raises NoteBroken when the log does not go on from there, WitnessAway when it is not taken.
        """
        ...


class FolderWitness(Struct, frozen=True):
    """A folder, or with `git` one in a repository."""

    root: Path
    git: bool = False

    @property
    def kind(self) -> Kind:
        return "git" if self.git else "folder"

    async def tell(self, log: Log, keys: PublicKeys) -> None:
        if not _NAME.fullmatch(log.project_id):
            raise WitnessAway(f"{log.project_id!r} cannot be the name of a folder")
        folder = self.root / log.project_id
        kept = git_witness if self.git else file_witness
        try:
            seen = await asyncio.to_thread(kept.newest, folder, log.now.origin, keys)
            if seen is not None:
                await _hold(log, seen)
            await asyncio.to_thread(kept.push, folder, log.note, log.now.size)
        except OSError as error:
            raise WitnessAway(f"{folder}: {error.strerror}") from error


class WebhookWitness(Struct, frozen=True):
    """An address that speaks the C2SP witness protocol. It says itself what it saw last."""

    url: str
    ambient: Ambient
    secret: bytes | None = None

    @property
    def kind(self) -> Kind:
        return "webhook"

    async def tell(self, log: Log, keys: PublicKeys) -> None:
        async def prove(old: int) -> list[bytes] | None:
            return await log.tree.consistency(old, log.now.size) if old <= log.now.size else None

        await webhook_witness.push(self.url, log.note, prove, self.ambient, secret=self.secret)


async def _hold(log: Log, seen: Checkpoint) -> None:
    if seen.size > log.now.size:
        raise NoteBroken(f"the witness saw a log of {seen.size:,} events, which is larger")
    if await log.tree.checkpoint(seen.size) != seen:
        raise NoteBroken(f"the witness saw another log at {seen.size:,} events")
