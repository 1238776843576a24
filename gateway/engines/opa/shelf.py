"""Which policy versions stay on the server: the ones used last, over all gateways.

The shelf is a document on the server itself, `used` by key in seconds since 1970. So versions that
a gateway pushed in an earlier life are found and removed too.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from gateway.engines.opa.client import NO_JSON, Client
from gateway.engines.opa.copies import Copy
from gateway.engines.opa.pushing import exchange, remove

SHELF: Final = "data/checkrein_shelf"
# How often using a version is written down.
TOUCH_SECONDS: Final = 5.0
# Used so lately, a version is somebody's current one: it stays, until there are twice too many.
# Else judging old frames again would push out the policy that other gateways live by.
LATELY_SECONDS: Final = 15.0


class Place(Struct, frozen=True):
    """When a version was used last, and how many modules it has."""

    used: float
    modules: int


class _Shelf(Struct, frozen=True):
    result: dict[str, Place] = {}


async def touch(client: Client, copy: Copy, seconds: float) -> None:
    """Write down when a version was in use. Raises EngineUnavailable."""
    place = Place(seconds, len(copy.modules))
    await exchange(client, "PUT", f"{SHELF}/{copy.key}", msgspec.json.encode(place))


async def superfluous(client: Client, most: int, keep: Copy, seconds: float) -> dict[str, Place]:
    """The versions used least recently, beyond `most`, at this time. Raises EngineUnavailable."""
    reply = await exchange(client, "GET", SHELF)
    try:
        places = msgspec.json.decode(reply.body, type=_Shelf).result
    except NO_JSON:
        return {}
    old = sorted((place.used, key) for key, place in places.items() if key != keep.key)
    found = {
        key: places[key]
        for number, (used, key) in enumerate(old[: max(0, len(places) - most)])
        if used < seconds - LATELY_SECONDS or number < len(places) - 2 * most
    }
    return {key: place for key, place in found.items() if _is_ours(key)}


async def clear(client: Client, key: str, place: Place) -> None:
    """Take one version away. Raises EngineUnavailable."""
    await remove(client, key, place.modules)
    await exchange(client, "DELETE", f"{SHELF}/{key}")


def _is_ours(key: str) -> bool:
    """A key that this code could have written: it becomes a part of paths."""
    return key.isascii() and key.replace("_", "").isalnum()
