"""The four forms of a guarded function. Each checks, enters, runs the body, reports.

Between `enter` and the body there is no await and no other code of ours: nothing can change the
arguments or cancel the call there. A generator is checked when it is first asked for an item, which
is when its body would begin.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from checkrein import _replaying
from checkrein._flow import drive, drive_async
from checkrein._gate import admit, enter
from checkrein._inside import inside
from checkrein._reports import Permit
from checkrein._tool import Tool

ITEMS_KEPT = 200


def function(tool: Tool) -> Callable[..., Any]:
    """For plain functions and methods."""

    def guarded(*args: Any, **kwargs: Any) -> Any:
        if _replaying.active is not None:
            return _replaying.active.function(tool, args, kwargs)
        permit = drive(admit(tool, args, kwargs))
        bound = enter(permit)
        outcome = _Outcome(permit)
        try:
            with inside(permit.body):
                output = tool.fn(*bound.args, **bound.kwargs)
        except BaseException as error:
            outcome.failed(error)
            raise
        outcome.succeeded(output)
        return output

    return guarded


def coroutine(tool: Tool) -> Callable[..., Any]:
    """For `async def`."""

    async def guarded(*args: Any, **kwargs: Any) -> Any:
        if _replaying.active is not None:
            return await _replaying.active.coroutine(tool, args, kwargs)
        permit = await drive_async(admit(tool, args, kwargs))
        bound = enter(permit)
        outcome = _Outcome(permit)
        try:
            with inside(permit.body):
                output = await tool.fn(*bound.args, **bound.kwargs)
        except BaseException as error:
            outcome.failed(error)
            raise
        outcome.succeeded(output)
        return output

    return guarded


def generator(tool: Tool) -> Callable[..., Any]:
    """For functions that yield; `send`, `throw` and `close` reach the body."""

    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        if _replaying.active is not None:
            return (yield from _replaying.active.generator(tool, args, kwargs))
        permit = drive(admit(tool, args, kwargs))
        bound = enter(permit)
        outcome = _Outcome(permit)
        body = tool.fn(*bound.args, **bound.kwargs)
        try:
            item = next(body)
            while True:
                outcome.saw(item)
                try:
                    sent = yield item
                except GeneratorExit:
                    body.close()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - the body decides about it
                    item = body.throw(thrown)
                else:
                    item = body.send(sent)
        except StopIteration as end:
            outcome.ended()
            return end.value
        except GeneratorExit:
            outcome.ended(early=True)
            raise
        except BaseException as error:
            outcome.failed(error)
            raise

    return guarded


def async_generator(tool: Tool) -> Callable[..., Any]:  # noqa: C901 - each way into a body is one
    """For `async def` functions that yield."""

    async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        if _replaying.active is not None:
            async for served in _replaying.active.async_generator(tool, args, kwargs):
                yield served
            return
        permit = await drive_async(admit(tool, args, kwargs))
        bound = enter(permit)
        outcome = _Outcome(permit)
        body = tool.fn(*bound.args, **bound.kwargs)
        try:
            item = await anext(body)
            while True:
                outcome.saw(item)
                try:
                    sent = yield item
                except GeneratorExit:
                    await body.aclose()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - the body decides about it
                    item = await body.athrow(thrown)
                else:
                    item = await body.asend(sent)
        except StopAsyncIteration:
            outcome.ended()
        except GeneratorExit:
            outcome.ended(early=True)
            raise
        except BaseException as error:
            outcome.failed(error)
            raise

    return guarded


class _Outcome:
    """Times a body and reports how it went."""

    def __init__(self, permit: Permit) -> None:
        self._permit = permit
        self._items: list[Any] = []
        self._more = False
        self._started = time.perf_counter_ns()

    def saw(self, item: Any) -> None:
        if len(self._items) < ITEMS_KEPT:
            self._items.append(item)
        else:
            self._more = True

    def succeeded(self, output: Any) -> None:
        self._permit.succeeded(output, self._elapsed())

    def ended(self, *, early: bool = False) -> None:
        self._permit.succeeded(self._items, self._elapsed(), truncated=early or self._more)

    def failed(self, error: BaseException) -> None:
        self._permit.failed(error, self._elapsed())

    def _elapsed(self) -> int:
        return time.perf_counter_ns() - self._started
