"""Whose body is running: a guarded call that is made in there belongs to that one.

Kept in a context variable, like the current run. Bodies of generators are left out: what they hold
between two items would be seen by whoever asks for the items.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType
from typing import NamedTuple


class Body(NamedTuple):
    """The body of a guarded call; `task` is where in the run it stands, in a simulation."""

    action_id: str | None
    task: tuple[str, ...] = ()


_current: ContextVar[Body | None] = ContextVar("checkrein_body", default=None)


class inside:  # noqa: N801 - used as `with inside(body):`
    """Say that the code in this block is that body."""

    __slots__ = ("_body", "_token")

    def __init__(self, body: Body) -> None:
        self._body = body

    def __enter__(self) -> None:
        self._token: Token[Body | None] = _current.set(self._body)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._token)


def body() -> Body | None:
    """The one that this code is in."""
    return _current.get()
