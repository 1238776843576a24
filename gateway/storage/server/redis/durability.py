"""What an answer of Redis is worth: read from its configuration, again and again.

`fsync` only when every primary writes each command to its append-only file and syncs it before
it answers; otherwise `memory`. A Redis that may evict keys is refused, since it would drop
events.
"""

from __future__ import annotations

from gateway.domain.events import Durability
from gateway.errors import ConfigInvalid
from gateway.storage.server.redis.keys import pack
from gateway.storage.server.redis.nodes import Node, told
from gateway.storage.server.redis.routes import Routes

SETTINGS = ("maxmemory-policy", "appendonly", "appendfsync", "no-appendfsync-on-rewrite")


async def durability(routes: Routes) -> Durability:
    """What all primaries promise together. Raises ConfigInvalid, StorageFailure."""
    found = [await _settings(node) for node in routes.nodes]
    for node, settings in zip(routes.nodes, found, strict=True):
        policy = settings.get("maxmemory-policy", "noeviction")
        if policy != "noeviction":
            raise ConfigInvalid(
                f"Redis {node.name} has maxmemory-policy {policy}, which may drop events: "
                "CONFIG SET maxmemory-policy noeviction"
            )
    return "fsync" if found and all(_syncs(settings) for settings in found) else "memory"


def _syncs(settings: dict[str, str]) -> bool:
    return (
        settings.get("appendonly") == "yes"
        and settings.get("appendfsync") == "always"
        and settings.get("no-appendfsync-on-rewrite") == "no"
    )


async def _settings(node: Node) -> dict[str, str]:
    """The settings, or, where CONFIG is not permitted, the little that INFO says."""
    reply = await node.slow.ask(pack("CONFIG", "GET", *SETTINGS))
    if not isinstance(reply, Exception):
        words = [word.decode() for word in reply]
        return dict(zip(words[::2], words[1::2], strict=True))
    return {"maxmemory-policy": (await told(node)).get("maxmemory_policy", "noeviction")}
