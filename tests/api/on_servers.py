"""Real servers for a gateway of the tests: a Redis of its own, and a database of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from tests.api.live import Servers
from tests.servers import postgres, redis


@contextmanager
def opened_servers() -> Iterator[Servers]:
    database = postgres.shared()
    name = asyncio.run(database.database())
    with redis.in_memory() as hot:
        yield Servers(
            redis=hot.url,
            gateway=database.url(name, "checkrein_gateway"),
            worker=database.url(name, "checkrein_worker"),
        )
