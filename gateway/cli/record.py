"""Where runs are read from: a gateway over HTTP, or a data folder itself.

Both give the same documents, those of the API, so that nothing behind this knows the difference.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from gateway.cli import client
from gateway.cli.failures import ABSENT, Failure
from gateway.cli.folder import CONTROL, PROJECT, control, existing, master_key, waiting
from gateway.cli.settings import folder

if TYPE_CHECKING:
    from gateway.cli.screen import Screen
    from gateway.storage.embedded.ledger import EmbeddedLedger
    from gateway.storage.keyring import Keyring

T = TypeVar("T")

PAGE = 50
RUNS_PAGE_MAX = 200
Document = dict[str, Any]


class Record(Protocol):
    """What is recorded, for reading. `behind` events have not reached it yet."""

    @property
    def behind(self) -> int: ...

    def runs(self, limit: int, status: str | None, agent: str | None) -> list[Document]:
        """The newest runs that are wanted, newest first."""
        ...

    def run(self, named: str) -> Document:
        """A run by its id, or by the name its caller gave it. Raises Failure when absent."""
        ...

    def frames(self, run_id: str) -> Iterator[Document]:
        """The run's frames, in order."""
        ...


def record(data: str | None) -> Record:
    """The folder where one is named; otherwise the gateway, if there is a key for it."""
    if data is None and os.environ.get("CHECKREIN_API_KEY"):
        return over_http(client.from_environment())
    where = folder(data)
    if data is None and not (where / CONTROL).is_file():
        client.key()
    return _Folder(existing(where))


def mention(screen: Screen, source: Record) -> None:
    """Say so when a part of what happened cannot be seen yet."""
    if source.behind:
        said = (
            f"{source.behind:,} events are not in the record yet: a running gateway records them."
        )
        screen.progress(said)


def over_http(asked: client.Client) -> Record:
    """What a running gateway tells."""
    return _Gateway(asked)


class _Gateway:
    # The gateway waits for its own record before it answers.
    behind = 0

    def __init__(self, asked: client.Client) -> None:
        self._client = asked

    def runs(self, limit: int, status: str | None, agent: str | None) -> list[Document]:
        found: list[Document] = []
        query = {"status": status, "agent_id": agent, "cursor": None}
        while len(found) < limit:
            size = min(limit - len(found), RUNS_PAGE_MAX)
            page = self._client.get("/v1/runs", {**query, "limit": size})
            found += page["runs"]
            query["cursor"] = page["next_cursor"]
            if not page["has_more"]:
                break
        return found

    def run(self, named: str) -> Document:
        found: Document = self._client.get(f"/v1/runs/{client.segment(named)}")
        return found

    def frames(self, run_id: str) -> Iterator[Document]:
        after = 0
        while True:
            path = f"/v1/runs/{client.segment(run_id)}/frames"
            page = self._client.get(path, {"after": after, "limit": PAGE})
            yield from page["frames"]
            if not page["has_more"]:
                return
            after = page["next_after"]


class _Folder:
    def __init__(self, where: Path) -> None:
        self._where = where

    @property
    def behind(self) -> int:
        return waiting(self._where)

    def runs(self, limit: int, status: str | None, agent: str | None) -> list[Document]:
        from gateway.storage.ports import RunFilter

        async def read() -> list[Document]:
            async with self._opened() as (project_id, ledger, _):
                wanted = RunFilter(status=status, agent_id=agent)
                return [dict(row) for row in await ledger.runs(project_id, wanted, None, limit)]

        return _run(read())

    def run(self, named: str) -> Document:
        async def read() -> Document | None:
            async with self._opened() as (project_id, ledger, _):
                for run_id in self._candidates(project_id, named):
                    row = await ledger.run(project_id, run_id)
                    if row is not None:
                        return dict(row)
                return None

        found = _run(read())
        if found is None:
            raise Failure(
                f"There is no run {named} in {self._where}.", "checkrein runs list", ABSENT
            )
        return found

    def frames(self, run_id: str) -> Iterator[Document]:
        after = 0
        while page := _run(self._page(run_id, after)):
            yield from page
            after = page[-1]["seq"]

    async def _page(self, run_id: str, after: int) -> list[Document]:
        import msgspec

        from gateway.replay.frames import view

        async with self._opened() as (project_id, ledger, keyring):
            found = await view(ledger, keyring.run_secret, project_id, run_id, after, PAGE)
            return [msgspec.to_builtins(frame) for frame in found]

    def _candidates(self, project_id: str, named: str) -> list[str]:
        """The run that is named, in whichever environment: a folder has no key to tell it."""
        from gateway.cli.settings import read
        from gateway.domain.run_ids import run_id_of

        own = read().settings.environment
        environments = dict.fromkeys((own, "development", "staging", "production"))
        return list(dict.fromkeys(run_id_of(project_id, each, named) for each in environments))

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[str, EmbeddedLedger, Keyring]]:
        from gateway.storage.embedded.ledger import open_ledger
        from gateway.storage.keyring import Keyring

        async with control(self._where) as keys:
            keyring = Keyring(keys, master_key(self._where))
            ledger = await open_ledger(self._where / "ledger.db", writing=False)
            try:
                yield await keys.project(PROJECT), ledger, keyring
            finally:
                await ledger.close()


def _run(work: Coroutine[Any, Any, T]) -> T:
    import asyncio

    return asyncio.run(work)
