"""What asks models again: the endpoints that the settings name, and nothing without them."""

from __future__ import annotations

from typing import Any, Final

from gateway.config import Settings
from gateway.replay.reexecute import prices
from gateway.replay.reexecute.endpoints import EndpointName, Endpoints, endpoint
from gateway.replay.reexecute.reexecuting import ReExecutor

NAMES: Final[tuple[EndpointName, ...]] = ("openai", "anthropic")


def re_executor(settings: Settings, **parts: Any) -> ReExecutor | None:
    """None where no endpoint is named. Raises ConfigInvalid."""
    known = [
        endpoint(name, url, getattr(settings, f"reexecute_{name}_key"), settings.reexecute_seconds)
        for name in NAMES
        if (url := getattr(settings, f"reexecute_{name}_url")) is not None
    ]
    if not known:
        return None
    table = prices.read(settings.reexecute_prices)
    return ReExecutor(endpoints=Endpoints(tuple(known)), prices=table, **parts)
