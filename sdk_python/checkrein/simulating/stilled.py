"""A runtime that reaches nothing: what the SDK has once, with an outbox that keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, cast

from checkrein._breaker import Breaker
from checkrein._gaps import Gaps
from checkrein._outbox import Outbox
from checkrein._runtime import Runtime
from checkrein._settings import Settings

if TYPE_CHECKING:
    from checkrein._wire import Wire


class _NoWire:
    """Nothing is asked in a simulation; whoever tries has taken a way that is not simulated."""

    url = ""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError("a simulation has no way to the gateway")

    def close(self) -> None:
        """There is nothing to close."""


class _Nowhere(Outbox):
    """Takes everything and sends nothing, so that what waits is always nothing."""

    def put(self, path: str, body: bytes) -> int:
        return 0


class Stilled(Runtime):
    """The collaborators of a simulation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.wire = cast("Wire", _NoWire())
        self.breaker = Breaker()
        self.outbox = _Nowhere(self.wire)
        self.gaps = Gaps()
        self.masker = self.new_masker()
        self.mode = ""
        self.granted = {}
