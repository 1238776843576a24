"""Faults planted into the protocol, one at a time: what finds none of them proves little."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.storage.ports import Claim
from gateway.storage.server.redis.functions import SOURCE
from tests.simulation.world import World


class SettlesFirst:
    """A worker that settles what it claims before it records it."""

    def __init__(self, drain: Any) -> None:
        self._drain = drain

    async def claim(self, limit: int) -> Sequence[Claim]:
        claims: Sequence[Claim] = await self._drain.claim(limit)
        await self._drain.settle(claims)
        return claims

    def __getattr__(self, name: str) -> Any:
        return getattr(self._drain, name)


def lua(before: str, after: str = "") -> Callable[[World], None]:
    """A change to the text of the Functions."""
    assert SOURCE.count(before.encode()) == 1, before

    def change(world: World) -> None:
        world.server.edited = lambda source: source.replace(before.encode(), after.encode())

    return change


def hasty(world: World) -> None:
    world.server.hasty = True


def settles_first(world: World) -> None:
    world.drained = SettlesFirst


MUTANTS: dict[str, Callable[[World], None]] = {
    "Redis answers before it syncs": hasty,
    "a worker settles before it records": settles_first,
    "an append does not compare versions": lua("if version ~= args[2] then", "if false then"),
    "an append does not ask whether it was placed": lua(
        "if placed then return -tonumber(string.match(placed, '^%S+ (%d+) ')) end"
    ),
    "an append does not look for a halt above": lua("if mark then return {'mark', mark} end"),
    "an append confirms a hold that is void": lua(
        "if string.find(flags, 'C', 1, true)", "if false"
    ),
    "a halt is not told below": lua("if #below > 0 and", "if false and"),
    "a halt that was sent twice counts as told": lua("~= told then", "~= token then"),
    "settling does not compare the fence": lua(
        "if redis.call('HGET', base .. 'owner', 'token') ~= args[1] then return -1 end"
    ),
    "a new owner gets the old token": lua("then token = token + 1 end", "then token = token end"),
    "a counter is moved twice": lua("if redis.call('ZSCORE', keys[2], args[1]) then return 0 end"),
    "a counter forgets a move": lua("whole(clamp(total + tonumber(args[2])))", "whole(total)"),
    "a hold is given back as soon as it is due": lua(
        "redis.call('HSET', base .. 'void', args[1], whole(now()))"
    ),
    "a run is forgotten while events of it wait": lua(
        "if known[2] and #redis.call('XRANGE', keys[1], '-', known[2], 'COUNT', 1) > 0"
        " then return 0 end"
    ),
    "a run is brought back over itself": lua(
        "if redis.call('EXISTS', run) == 1 or absent(base, id) ~= args[8] then return 0 end"
    ),
}
