"""An event loop whose time passes only when nothing is left to do now, and then at once."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class Idle(selectors.SelectSelector):
    """Waits for no file and no thread: waiting is what moves the time on."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "nothing will ever happen again"
        self.loop.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Made anew for each seed. Whatever asks this loop for the time is in the simulation."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = Idle()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now
