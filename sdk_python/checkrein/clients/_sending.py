"""The one place where a model call leaves for its provider, or does not.

`served` decides: whoever serves recorded answers (a simulation) sets `stand_in`. Everything else
goes for real, and is recorded when a run is current.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

from checkrein._run import current_run
from checkrein.clients._prices import Prices
from checkrein.clients._recording import Recording
from checkrein.clients._requests import ModelRequest
from checkrein.clients._streams import watch

log = logging.getLogger("checkrein")


class Outgoing(NamedTuple):
    """A call on its way: what is asked, and the client's own words for what it makes of an answer.

    `cast_to` is the class of a whole answer, `stream_class` that of a stream, where one is wanted.
    """

    request: ModelRequest
    cast_to: Any = None
    stream_class: Any = None


class Served(NamedTuple):
    """An answer that came from no provider, as the client would have returned it."""

    answer: Any


# Set by whoever serves recorded answers instead, for the code around.
stand_in: ContextVar[Callable[[Outgoing], Served | None] | None] = ContextVar(
    "checkrein_stand_in", default=None
)


def served(outgoing: Outgoing) -> Served | None:
    """What stands in for the provider's answer; None: it is sent for real."""
    serve = stand_in.get()
    return None if serve is None else serve(outgoing)


def send(outgoing: Outgoing, prices: Prices, really: Callable[[], Any]) -> Any:
    """The answer of a synchronous client."""
    instead = served(outgoing)
    if instead is not None:
        return instead.answer
    recording = _recording(outgoing, prices)
    if recording is None:
        return really()
    try:
        answer = really()
    except BaseException as error:
        recording.failed(error)
        raise
    _watch(outgoing, answer, recording)
    return answer


async def send_async(
    outgoing: Outgoing, prices: Prices, really: Callable[[], Awaitable[Any]]
) -> Any:
    """The answer of an asynchronous client."""
    instead = served(outgoing)
    if instead is not None:
        return instead.answer
    recording = _recording(outgoing, prices)
    if recording is None:
        return await really()
    try:
        answer = await really()
    except BaseException as error:
        recording.failed(error)
        raise
    _watch(outgoing, answer, recording)
    return answer


def _recording(outgoing: Outgoing, prices: Prices) -> Recording | None:
    run = current_run()
    return None if run is None else Recording(outgoing.request, run, prices)


def _watch(outgoing: Outgoing, answer: Any, recording: Recording) -> None:
    try:
        raw = getattr(answer, "http_response", None)
        if raw is not None:
            _read_raw(raw, recording)
        elif not outgoing.request.streaming:
            recording.answered(answer)
        elif not watch(answer, recording):
            recording.abandoned()
    except Exception:
        log.exception("Checkrein could not watch a model's answer")


def _read_raw(raw: Any, recording: Recording) -> None:
    """A raw response. Where its body has not come yet, whoever asked for it reads it alone."""
    if raw.is_closed:
        recording.answered(raw.json())
    else:
        recording.abandoned()
