"""`guard`: the decorator. What it accepts, and which form it gives to which function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from checkrein._calling import mcp_parties
from checkrein._forms import async_generator, coroutine, function, generator
from checkrein._settings import Capture, OnUnavailable
from checkrein._tool import AmountOf, CostOf, KeyOf, SideEffect, Tool, options
from checkrein._trust import Trust

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Guarding(Protocol):
    """What `guard(...)` returns: a decorator that keeps the function's type."""

    @overload
    def __call__(self, fn: classmethod[T, P, R], /) -> classmethod[T, P, R]: ...
    @overload
    def __call__(self, fn: staticmethod[P, R], /) -> staticmethod[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def guard(fn: classmethod[T, P, R], /) -> classmethod[T, P, R]: ...
@overload
def guard(fn: staticmethod[P, R], /) -> staticmethod[P, R]: ...
@overload
def guard(fn: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def guard(
    name: str | None = None,
    /,
    *,
    side_effects: Sequence[SideEffect] = (),
    amount: AmountOf | None = None,
    idempotency_key: KeyOf | None = None,
    redact: Sequence[str] = (),
    on_unavailable: OnUnavailable | None = None,
    capture: Capture | None = None,
    trust: Trust = "untrusted",
    cost: CostOf | None = None,
    timeout: float | None = None,
    mcp: Mapping[str, str] | None = None,
) -> Guarding: ...
def guard(
    fn: Any = None,
    /,
    *,
    side_effects: Sequence[SideEffect] = (),
    amount: AmountOf | None = None,
    idempotency_key: KeyOf | None = None,
    redact: Sequence[str] = (),
    on_unavailable: OnUnavailable | None = None,
    capture: Capture | None = None,
    trust: Trust = "untrusted",
    cost: CostOf | None = None,
    timeout: float | None = None,
    mcp: Mapping[str, str] | None = None,
) -> Any:
    """Have every call of a function checked before its body runs.

    Bare, `@guard`, the tool is named after the function; `@guard("stripe.refund", ...)` names it.

    side_effects     what the tool does, in addition to what the policy says of it
    amount           the money it moves: names of the arguments with integer minor units and with
                     the currency, or a function of the arguments that returns both
    idempotency_key  what makes two calls the same intended action: an argument's name, or a
                     function of the arguments
    redact           arguments that never leave the process: `card`, `customer.card`
    on_unavailable   allow or deny (or allow_reads), whatever the environment says
    capture          full reports the output, digest only its digest
    trust            whether the output may be believed: it becomes context of the run, `trusted` or
                     `untrusted` (or True, False); `unseen` when the agent's model never reads it
    cost             what the call cost, from its output: (integer minor units, currency)
    timeout          seconds for the whole check
    mcp              for a tool of an MCP server: {"client", "server"}, one or both

    The guarded function raises `Blocked`, `ApprovalRequired`, `Unavailable` or `Halted` instead of
    running its body, and whatever the body raises.
    """
    given = options(
        side_effects,
        redact,
        name=fn if isinstance(fn, str) else None,
        amount=amount,
        idempotency_key=idempotency_key,
        on_unavailable=on_unavailable,
        capture=capture,
        trust=trust,
        cost=cost,
        timeout=timeout,
        mcp=mcp_parties(mcp or {}),
    )

    def decorate(target: Any) -> Any:
        if isinstance(target, classmethod | staticmethod):
            return type(target)(decorate(target.__func__))
        if not callable(target) or inspect.isclass(target):
            raise TypeError("guard decorates functions and methods")
        return _wrap(Tool(target, given), target)

    return decorate if fn is None or isinstance(fn, str) else decorate(fn)


def _wrap(tool: Tool, target: Callable[..., Any]) -> Callable[..., Any]:
    body = tool.fn if inspect.isroutine(tool.fn) else type(tool.fn).__call__
    if inspect.isasyncgenfunction(body):
        form = async_generator
    elif inspect.isgeneratorfunction(body):
        form = generator
    elif inspect.iscoroutinefunction(body):
        form = coroutine
    else:
        form = function
    return functools.update_wrapper(form(tool), target)
