"""The one place where a model call leaves for its provider, or does not.

In a simulation it is answered from the record. Everything else goes for real, and is recorded when
a run is current.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from checkrein._run import current_run
from checkrein.clients._prices import Prices
from checkrein.clients._recording import Recording
from checkrein.clients._requests import ModelRequest
from checkrein.clients._serving import serving
from checkrein.clients._streams import watch

log = logging.getLogger("checkrein")


def send(request: ModelRequest, prices: Prices, really: Callable[[], Any]) -> Any:
    """The answer of a synchronous client."""
    with serving(request) as served:
        if served:
            return really()
    recording = _recording(request, prices)
    if recording is None:
        return really()
    try:
        answer = really()
    except BaseException as error:
        recording.failed(error)
        raise
    _watch(request, answer, recording)
    return answer


async def send_async(
    request: ModelRequest, prices: Prices, really: Callable[[], Awaitable[Any]]
) -> Any:
    """The answer of an asynchronous client."""
    with serving(request) as served:
        if served:
            return await really()
    recording = _recording(request, prices)
    if recording is None:
        return await really()
    try:
        answer = await really()
    except BaseException as error:
        recording.failed(error)
        raise
    _watch(request, answer, recording)
    return answer


def _recording(request: ModelRequest, prices: Prices) -> Recording | None:
    run = current_run()
    return None if run is None else Recording(request, run, prices)


def _watch(request: ModelRequest, answer: Any, recording: Recording) -> None:
    try:
        raw = getattr(answer, "http_response", None)
        if raw is not None:
            _read_raw(raw, recording)
        elif not request.streaming:
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
