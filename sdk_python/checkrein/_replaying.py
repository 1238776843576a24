"""Whether a simulation is under way, for the few places that ask.

Of the whole process: a simulation refuses connections in every thread, so a thread that it did not
reach would only fail.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from checkrein._runtime import Runtime
    from checkrein._settings import Settings
    from checkrein._tool import Tool


class Replaying(Protocol):
    """What stands in for the gateway and for the tools' bodies."""

    def function(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...

    async def coroutine(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...

    def generator(
        self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Generator[Any, Any, Any]: ...

    def async_generator(
        self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, Any]: ...

    def noted(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Something that the agent observed, which goes nowhere."""
        ...

    def runtime(self, settings: Settings) -> Runtime:
        """A runtime that sends nothing."""
        ...


active: Replaying | None = None
