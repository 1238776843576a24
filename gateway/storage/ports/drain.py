"""The worker's end of the journal: what waits there, and that it is recorded."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct


class Claim(Struct, frozen=True):
    """A journal record handed to a worker. `raw` is what is stored; `token` settles it.

    What the token is, is the store's own business; no two records have the same.
    """

    token: Hashable
    project_id: str
    environment: str
    run_id: str
    seq: int
    raw: bytes


class Drain(Protocol):
    """The worker's end of the journal. A run has one worker at a time, by lease."""

    async def claim(self, limit: int) -> Sequence[Claim]:
        """The oldest unsettled records, in order within each run. Given again until settled."""
        ...

    async def settle(self, claims: Sequence[Claim]) -> None: ...

    async def secrets(self, runs: set[tuple[str, str]]) -> Mapping[tuple[str, str], bytes]:
        """The wrapped secret of each (project, run)."""
        ...

    async def close(self) -> None: ...
