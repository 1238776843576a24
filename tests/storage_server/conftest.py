"""Journals on a real Redis and ledgers on a real PostgreSQL; what a test leaves is closed."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.storage.server.postgres.ledger import open_ledger
from gateway.storage.server.redis.drain import open_drain
from tests.contract.backends import RedisClusterHot, RedisHot
from tests.servers import postgres, redis


class Rig(RedisHot):
    """A journal on a server of the test's choice, and as many more as it wants."""

    server_url = ""

    def url(self) -> str:
        return self.server_url or super().url()

    async def open(self) -> Rig:
        await super().open()
        self.opened: list[Any] = []
        return self

    async def another_journal(self, **options):
        """One more gateway."""
        before = self.options
        self.options = {**before, **options}
        try:
            journal = await self.open_journal()
        finally:
            self.options = before
        self.opened.append(journal)
        return journal

    async def another_drain(self, **options):
        """One more worker."""
        drain = await open_drain(self.url(), self.ambient, namespace=self.namespace, **options)
        self.opened.append(drain)
        return drain

    async def close(self) -> None:
        for each in self.opened:
            await each.close()
        await super().close()


class ClusterRig(Rig, RedisClusterHot):
    """The same on a cluster."""

    def url(self) -> str:
        return redis.shared_cluster()[0].url


@pytest.fixture
async def rig(tmp_path):
    opened = await Rig(tmp_path).open()
    yield opened
    await opened.close()


@pytest.fixture(params=[Rig, ClusterRig], ids=["one", "cluster"])
async def everywhere(request, tmp_path):
    """A rig on one Redis, and one on a cluster."""
    opened = await request.param(tmp_path).open()
    yield opened
    await opened.close()


@pytest.fixture
def server(tmp_path):
    """A server of the test's own, to be killed and misused."""
    with redis.one(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def on(tmp_path):
    """Make a rig on a given server or proxy, not opened yet."""

    def made(url: str, **options) -> Rig:
        rig = Rig(tmp_path, **options)
        rig.server_url = url
        return rig

    return made


@pytest.fixture
async def place():
    async with postgres.emptied(postgres.shared()) as found:
        yield found


@pytest.fixture
async def worker(place):
    """The ledger as one who records opens it."""
    ledger = await open_ledger(place.worker, "worker")
    yield ledger
    await ledger.close()


@pytest.fixture
async def reader(place):
    """The ledger as a gateway opens it."""
    ledger = await open_ledger(place.gateway)
    yield ledger
    await ledger.close()
