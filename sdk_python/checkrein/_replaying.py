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
    from checkrein.simulating.model_calls import ModelAnswer


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

    def model_answer(self, request: Mapping[str, Any]) -> ModelAnswer:
        """The recorded answer of a model."""
        ...

    def runtime(self, settings: Settings) -> Runtime:
        """A runtime that sends nothing."""
        ...


active: Replaying | None = None


def recorded_model_answer(request: Mapping[str, Any]) -> ModelAnswer | None:
    """The recorded answer to this request, None where no simulation is under way.

    `request` has what `record_model_call` takes: provider, model, parameters, system, messages,
    tools. The same request is answered by its own recorded answer, another one by the next that
    nobody asked for yet, and the simulation says that it was asked otherwise. Raises NotReplayable
    where there is no answer. Who calls this need not call `record_model_call` for it.
    """
    return None if active is None else active.model_answer(request)
