"""A bound on how many of something happen at once: who finds no place is sent away, not queued."""

from __future__ import annotations

from types import TracebackType

from gateway.errors import Unavailable


class Places:
    """`with places:` takes one, or raises Unavailable `overloaded`. One event loop only."""

    def __init__(self, most: int, doing: str) -> None:
        self._most = most
        self._doing = doing
        self._taken = 0

    def refuse_when_full(self) -> None:
        if self._taken >= self._most:
            detail = f"{self._most} {self._doing}; nothing of this request was done."
            raise Unavailable("overloaded", detail, retry_after=1)

    def __enter__(self) -> None:
        self.refuse_when_full()
        self._taken += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._taken -= 1
