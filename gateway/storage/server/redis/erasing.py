"""Destroying secrets in Redis, and making it write its files anew without them.

A new version goes with it: a gateway that remembers the run is refused, reads it again, and finds
no secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from redis.exceptions import ResponseError

from gateway.domain import sealing
from gateway.storage.server.redis.functions import ERASE
from gateway.storage.server.redis.keys import Key, Places, pack, place_of
from gateway.storage.server.redis.nodes import Node, told
from gateway.storage.server.redis.routes import Routes

AT_ONCE = 64
LOOK_SECONDS = 0.1
LOOKS = 600


async def erase(routes: Routes, places: Places, keys: Sequence[Key]) -> None:
    """Empty the secrets of these runs, those that are here. Raises StorageFailure."""
    for at in range(0, len(keys), AT_ONCE):
        await asyncio.gather(*(_erase(routes, places, key) for key in keys[at : at + AT_ONCE]))


async def _erase(routes: Routes, places: Places, key: Key) -> None:
    partition = places.of(key)
    version = f"erased:{sealing.new_secret().hex()[:16]}"
    await routes.call(partition.slot, ERASE(partition.keys, place_of(key), version), "slow")


async def scrub(routes: Routes) -> list[str]:
    """Have every primary write its files anew; what may not be asked for is said."""
    told_of = await asyncio.gather(*map(_scrub, routes.nodes))
    return [remains for each in told_of for remains in each]


async def _scrub(node: Node) -> list[str]:
    remains = []
    before = await told(node, "persistence", "replication")
    if before.get("aof_enabled") == "1":
        asked = await node.slow.ask(pack("BGREWRITEAOF"))
        if isinstance(asked, ResponseError) and "already" not in str(asked).lower():
            remains.append(f"the append-only file of Redis {node.name}: until it is rewritten")
    if await _dumps(node) or int(before.get("rdb_saves", "0")) > 0:
        asked = await node.slow.ask(pack("BGSAVE", "SCHEDULE"))
        if isinstance(asked, ResponseError) and "already" not in str(asked).lower():
            remains.append(f"the dump of Redis {node.name}: until the next one is saved")
    if int(before.get("connected_slaves", "0")) > 0:
        remains.append(f"the files of the replicas of Redis {node.name}: until they are rewritten")
    if not await _written(node):
        remains.append(f"the files of Redis {node.name}, which it is writing anew: until it has")
    return remains


async def _dumps(node: Node) -> bool:
    """Whether it saves dumps by itself; where it does not say, it may."""
    told_of = await node.slow.ask(pack("CONFIG", "GET", "save"))
    return isinstance(told_of, Exception) or bool(told_of[1])


async def _written(node: Node) -> bool:
    names = (
        "aof_rewrite_in_progress",
        "aof_rewrite_scheduled",
        "rdb_bgsave_in_progress",
    )
    for _ in range(LOOKS):
        now = await told(node, "persistence")
        if all(now.get(name, "0") == "0" for name in names):
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return False
