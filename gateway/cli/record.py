"""Where runs are read from: a gateway over HTTP, or a data folder itself.

Both give the same documents, those of the API, so that nothing behind this knows the difference.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from gateway.cli import client, folder
from gateway.cli.failures import ABSENT, Failure
from gateway.cli.settings import chosen

if TYPE_CHECKING:
    from gateway.cli.screen import Screen
    from gateway.config import Settings
    from gateway.storage.wanted import RunFilter
    from gateway.wiring.stores import RecordStores

T = TypeVar("T")

PAGE = 50
RUNS_PAGE_MAX = 200
Document = dict[str, Any]
Wanted = str | int | None


class Record(Protocol):
    """What is recorded, for reading. `behind` events have not reached it yet."""

    @property
    def behind(self) -> int: ...

    def runs(self, limit: int, **wanted: Wanted) -> list[Document]:
        """The newest runs that are wanted, newest first; filters are named as in the API."""
        ...

    def artifacts(self, limit: int, **wanted: Wanted) -> list[Document]:
        """What runs made or touched, newest first."""
        ...

    def agents(self, prefix: str, limit: int) -> list[Document]:
        """Agents whose id begins so."""
        ...

    def search(self, sought: str, within: str, limit: int, **wanted: Wanted) -> Document:
        """Runs in which it stands, and how far the search came."""
        ...

    def record(self, run_id: str) -> Document:
        """The run's compact record."""
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
    settings = chosen(data)
    where = Path(settings.data)
    if data is None and not settings.on_servers and not (where / folder.CONTROL).is_file():
        client.key()
    if not settings.on_servers:
        folder.existing(where)
    return _Stores(settings)


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

    def runs(self, limit: int, **wanted: Wanted) -> list[Document]:
        return self._pages("runs", limit, wanted)

    def artifacts(self, limit: int, **wanted: Wanted) -> list[Document]:
        return self._pages("artifacts", limit, wanted)

    def agents(self, prefix: str, limit: int) -> list[Document]:
        page = self._client.get("/v1/agents", {"prefix": prefix, "limit": limit})
        found: list[Document] = page["agents"]
        return found

    def search(self, sought: str, within: str, limit: int, **wanted: Wanted) -> Document:
        asked = {"q": sought, "within": within, "limit": limit, **wanted}
        found: Document = self._client.get("/v1/search", asked)
        return found

    def record(self, run_id: str) -> Document:
        found: Document = self._client.get(f"/v1/runs/{client.segment(run_id)}/record")
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

    def _pages(self, name: str, limit: int, wanted: dict[str, Wanted]) -> list[Document]:
        found: list[Document] = []
        query: dict[str, Wanted] = {**wanted, "cursor": None}
        while len(found) < limit:
            size = min(limit - len(found), RUNS_PAGE_MAX)
            page = self._client.get(f"/v1/{name}", {**query, "limit": size})
            found += page[name]
            query["cursor"] = page["next_cursor"]
            if not page["has_more"]:
                break
        return found


class _Stores:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def behind(self) -> int:
        return 0 if self._settings.on_servers else folder.waiting(Path(self._settings.data))

    def runs(self, limit: int, **wanted: Wanted) -> list[Document]:
        async def read() -> list[Document]:
            import msgspec

            from gateway.api.runs import with_standing

            async with self._opened() as (project_id, stores):
                found = await stores.ledger.runs(project_id, _filter(wanted), None, limit)
                rows = []
                for at in range(0, len(found), RUNS_PAGE_MAX):
                    some = found[at : at + RUNS_PAGE_MAX]
                    rows += await with_standing(stores.ledger, project_id, some)
                return [msgspec.to_builtins(row) for row in rows]

        return _run(read())

    def artifacts(self, limit: int, **wanted: Wanted) -> list[Document]:
        async def read() -> list[Document]:
            import msgspec

            from gateway.api.artifacts import ArtifactsQuery, wanted_artifacts

            query = msgspec.convert(_given(wanted), ArtifactsQuery)
            async with self._opened() as (project_id, stores):
                asked = wanted_artifacts(query, project_id, self._settings.environment)
                found = await stores.ledger.artifacts(project_id, asked, None, limit)
                return [msgspec.to_builtins(row) for row in found]

        return _run(read())

    def agents(self, prefix: str, limit: int) -> list[Document]:
        async def read() -> list[Document]:
            import msgspec

            async with self._opened() as (project_id, stores):
                found = await stores.ledger.agents(project_id, prefix, limit)
                return [msgspec.to_builtins(each) for each in found]

        return _run(read())

    def search(self, sought: str, within: str, limit: int, **wanted: Wanted) -> Document:
        async def read() -> Document:
            import msgspec

            from gateway.api.search import page_of
            from gateway.replay.searching import search

            async with self._opened() as (project_id, stores):
                found = await search(
                    stores.ledger,
                    stores.keyring.run_secret,
                    project_id,
                    _filter(wanted),
                    sought,
                    content=within == "content",
                    before=None,
                    limit=limit,
                )
                page: Document = msgspec.to_builtins(page_of(found, None))
                return page

        return _run(read())

    def record(self, run_id: str) -> Document:
        async def read() -> Document:
            import msgspec

            from gateway.replay.record.reading import recorded

            async with self._opened() as (project_id, stores):
                row = await stores.ledger.run(project_id, run_id)
                assert row is not None, "the caller has just found it"
                secret = stores.keyring.run_secret
                found = await recorded(stores.ledger, secret, project_id, row)
                told: Document = msgspec.to_builtins(found)
                return told

        return _run(read())

    def run(self, named: str) -> Document:
        async def read() -> Document | None:
            async with self._opened() as (project_id, stores):
                for run_id in self._candidates(project_id, named):
                    row = await stores.ledger.run(project_id, run_id)
                    if row is not None:
                        return dict(row)
                return None

        found = _run(read())
        if found is None:
            where = "the database" if self._settings.on_servers else self._settings.data
            raise Failure(f"There is no run {named} in {where}.", "checkrein runs list", ABSENT)
        return found

    def frames(self, run_id: str) -> Iterator[Document]:
        after = 0
        while page := _run(self._page(run_id, after)):
            yield from page
            after = page[-1]["seq"]

    async def _page(self, run_id: str, after: int) -> list[Document]:
        import msgspec

        from gateway.replay.frames import view

        async with self._opened() as (project_id, stores):
            secret = stores.keyring.run_secret
            found = await view(stores.ledger, secret, project_id, run_id, after, PAGE)
            return [msgspec.to_builtins(frame) for frame in found]

    def _candidates(self, project_id: str, named: str) -> list[str]:
        """The run that is named, in whichever environment: a folder has no key to tell it."""
        from gateway.domain.run_ids import run_id_of

        own = self._settings.environment
        environments = dict.fromkeys((own, "development", "staging", "production"))
        return list(dict.fromkeys(run_id_of(project_id, each, named) for each in environments))

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[str, RecordStores]]:
        async with folder.record(self._settings) as stores:
            yield await stores.control.project(folder.PROJECT), stores


def _given(wanted: dict[str, Wanted]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if value is not None}


def _filter(wanted: dict[str, Wanted]) -> RunFilter:
    """The filters as the API understands them."""
    import time

    import msgspec

    from gateway.api.runs import RunsQuery, wanted_runs

    return wanted_runs(msgspec.convert(_given(wanted), RunsQuery), time.time_ns())


def _run(work: Coroutine[Any, Any, T]) -> T:
    import asyncio

    return asyncio.run(work)
