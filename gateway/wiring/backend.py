"""The backend that the settings name: a folder of this machine's, or servers that others share."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from gateway.ambient import Ambient
from gateway.config import Settings
from gateway.wiring.stores import ControlStores, GatewayStores, RecordStores, WorkerStores


class Backend(Protocol):
    """What a module of a backend offers."""

    def gateway_stores(
        self, settings: Settings, ambient: Ambient, base_url: str
    ) -> AbstractAsyncContextManager[GatewayStores]: ...

    def worker_stores(
        self, settings: Settings, ambient: Ambient
    ) -> AbstractAsyncContextManager[WorkerStores]: ...

    def control_stores(
        self, settings: Settings, ambient: Ambient
    ) -> AbstractAsyncContextManager[ControlStores]: ...

    def record_stores(
        self, settings: Settings, ambient: Ambient, *, everything: bool
    ) -> AbstractAsyncContextManager[RecordStores]: ...

    def policy_folder(self, settings: Settings) -> Path: ...


def backend(settings: Settings) -> Backend:
    """Only what is wanted is imported: drivers cost memory, and the first start time."""
    if settings.on_servers:
        from gateway.wiring import server  # noqa: PLC0415

        return server
    from gateway.wiring import embedded  # noqa: PLC0415

    return embedded
