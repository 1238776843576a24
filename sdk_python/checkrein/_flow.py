"""One protocol, two ways to run it.

The way of a check is a generator that yields what it wants done (`Send`, `Pause`) and gets the
result back. Plain functions run it with `drive`, coroutines with `drive_async`; the steps
themselves, and with them every decision about failing, are written once.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from checkrein._http import Outgoing

if TYPE_CHECKING:
    from checkrein._wire import Wire

T = TypeVar("T")


class Send(NamedTuple):
    """Send and give back the answer; `deadline` is a moment of time.monotonic()."""

    wire: Wire
    outgoing: Outgoing
    deadline: float


class Pause(NamedTuple):
    """Wait this many seconds."""

    seconds: float


Step: TypeAlias = Send | Pause
Flow: TypeAlias = Generator[Step, Any, T]


def drive(flow: Flow[T]) -> T:
    """Run a flow in this thread."""
    give: Any = None
    error: Exception | None = None
    try:
        while True:
            step = flow.send(give) if error is None else flow.throw(error)
            give, error = None, None
            try:
                if isinstance(step, Send):
                    give = step.wire.send(step.outgoing, step.deadline)
                else:
                    time.sleep(step.seconds)
            except Exception as raised:  # noqa: BLE001 - the flow knows the fail mode
                error = raised
    except StopIteration as end:
        done: T = end.value
        return done
    finally:
        flow.close()


async def drive_async(flow: Flow[T]) -> T:
    """Run a flow in this event loop. Cancellation closes the flow, so nothing after it happens."""
    import asyncio  # noqa: PLC0415 - whoever gets here has it loaded

    from checkrein._wire_async import send_async  # noqa: PLC0415 - as above

    give: Any = None
    error: Exception | None = None
    try:
        while True:
            step = flow.send(give) if error is None else flow.throw(error)
            give, error = None, None
            try:
                if isinstance(step, Send):
                    give = await send_async(step.wire, step.outgoing, step.deadline)
                else:
                    await asyncio.sleep(step.seconds)
            except Exception as raised:  # noqa: BLE001 - the flow knows the fail mode
                error = raised
    except StopIteration as end:
        done: T = end.value
        return done
    finally:
        flow.close()
