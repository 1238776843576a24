"""The steps that both parts of the table share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import asdict

from benchmarks import body
from benchmarks.processes import Server, floor
from benchmarks.saturate import saturate

PATH = "/v1/check-action"
COUNTS = (1, 16)
WARM_SECONDS = 2


def floors(seconds: int) -> dict[int, Any]:
    """The bare application at each number of connections."""
    with floor() as bare:
        return {
            count: asdict(saturate(bare, "/", body.check(), count, seconds)) for count in COUNTS
        }


def warm(server: Server) -> None:
    saturate(server, PATH, body.check(), 4, WARM_SECONDS)


def loads(server: Server, seconds: int, cpu: Callable[[], dict[str, float]]) -> dict[int, Any]:
    """Checks at each number of connections, with what each costs the parts that `cpu` tells."""
    found = {}
    for count in COUNTS:
        before = cpu()
        load = saturate(server, PATH, body.check(), count, seconds)
        after = cpu()
        found[count] = {
            **asdict(load),
            "cpu_ms": {
                part: 1000 * (after[part] - before.get(part, 0)) / load.requests for part in after
            },
        }
    return found
