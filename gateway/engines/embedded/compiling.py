"""Before a policy is anybody's: examined as text, then compiled whole in a process of its own."""

from __future__ import annotations

import asyncio

from gateway.children.process import Process
from gateway.domain.ruleset import Ruleset
from gateway.engines.embedded import child
from gateway.engines.embedded.limits import Limits
from gateway.engines.embedded.plans import Plan, plan
from gateway.engines.embedded.requests import Order
from gateway.engines.embedded.starting import how_to_start
from gateway.engines.examining import examined
from gateway.errors import EngineUnavailable, PolicyInvalid


async def compiled(base: int, ruleset: Ruleset, limits: Limits) -> Plan:
    """A plan that evaluators can follow. Raises PolicyInvalid, EngineUnavailable."""
    made = plan(base, ruleset, await examined(ruleset))
    if refusal := await _try_out(made, limits):
        raise PolicyInvalid([refusal])
    return made


async def _try_out(made: Plan, limits: Limits) -> str:
    """Compile all rules at once, where a crash harms nobody; the complaint, or nothing."""
    process = Process(how_to_start(limits), lambda _: None)
    try:
        await process.start()
        for operation, payload in (
            (child.BASE, made.data),
            (child.PREPARE, made.order(tuple(made.packages))),
        ):
            if refusal := await _ask(
                process, Order(operation, made.base, payload, limits.compile_wall)
            ):
                return _readable(refusal)
        return ""
    finally:
        process.kill()
        await process.cause()


async def _ask(process: Process, order: Order) -> str:
    order.done = asyncio.get_running_loop().create_future()
    process.send(order)
    try:
        return await order.done
    except EngineUnavailable:
        slow = await process.cause() == "timeout"
        return "the compiler took too long over these rules" if slow else "the compiler crashed"


def _readable(complaint: str) -> str:
    """The one line of a complaint such as `--> rules/a.rego:5:69 | ... error: what is wrong`."""
    place = complaint.partition("--> ")[2].partition("\n")[0]
    reason = complaint.rpartition("error:")[2].strip() or complaint
    return f"{place}: {reason}" if place else reason
