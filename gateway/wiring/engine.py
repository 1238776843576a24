"""The engine that the settings choose."""

from __future__ import annotations

from collections.abc import Callable

from gateway.config import Settings
from gateway.engines.embedded.engine import EmbeddedEngine
from gateway.engines.embedded.limits import MIB, Limits
from gateway.engines.opa import OpaEngine
from gateway.engines.port import Engine


def engine_of(settings: Settings, on_replaced: Callable[[], object] = lambda: None) -> Engine:
    """An OPA server where the settings name one, otherwise a child process."""
    if settings.opa_url is not None:
        return OpaEngine(settings.opa_url)
    return EmbeddedEngine(Limits(memory_bytes=settings.evaluator_memory_mb * MIB), on_replaced)
