"""A recorded answer in the place of the provider's, while a simulation is under way.

The client goes its whole way but for the last step: where it would hand a request to its transport,
it gets the recorded answer as if that had come over the wire. So whatever it makes of an answer, a
parsed value, a stream, a raw response, it makes of the recorded one.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from checkrein import _replaying
from checkrein.clients import _canned, _requests
from checkrein.clients._requests import ModelRequest

_WRAPPED = "_checkrein_serves"
_answer: ContextVar[tuple[str, bytes] | None] = ContextVar("checkrein_answer", default=None)


@contextmanager
def serving(request: ModelRequest) -> Iterator[bool]:
    """Whether the call is answered from the record within. Raises NotReplayable without one."""
    if _replaying.active is None:
        yield False
        return
    given = _requests.read(request)
    recorded = _replaying.recorded_model_answer(
        {
            "provider": request.provider,
            "id": given.model,
            "system": given.system,
            "messages": given.messages,
            "tools": given.tools,
            "parameters": given.parameters,
        }
    )
    if recorded is None:
        yield False
        return
    tokens = (recorded.input_tokens, recorded.output_tokens)
    if request.streaming:
        body = ("text/event-stream", _canned.stream(request, recorded.answer, tokens))
    else:
        body = ("application/json", _canned.document(request, recorded.answer, tokens))
    token = _answer.set(body)
    try:
        yield True
    finally:
        _answer.reset(token)


def wrap_transport(client: Any) -> None:
    """Let a provider's client take what is served instead of sending. Wrapping twice is once."""
    http: Any = getattr(client, "_client", None)
    send = getattr(http, "send", None)
    if send is None or getattr(http, _WRAPPED, False):
        return

    if inspect.iscoroutinefunction(send):

        @functools.wraps(send)
        async def send_async(request: Any, **options: Any) -> Any:
            served = _response(request)
            return await send(request, **options) if served is None else served

        http.send = send_async
    else:

        @functools.wraps(send)
        def send_here(request: Any, **options: Any) -> Any:
            served = _response(request)
            return send(request, **options) if served is None else served

        http.send = send_here
    setattr(http, _WRAPPED, True)


def _response(request: Any) -> Any:
    """The answer that is served, as the transport's library has answers; None where none is."""
    served = _answer.get()
    if served is None:
        return None
    kind, body = served
    library = sys.modules[type(request).__module__.partition(".")[0]]
    return library.Response(200, headers={"content-type": kind}, content=body, request=request)
