"""Streams, watched: every event is handed on as it comes, and the record is made at the end.

A client's stream stays the object it is. What it iterates over is watched from the inside, so that
all the ways to read it (`for`, `text_stream`, `get_final_message`) are seen.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

from checkrein._run import later
from checkrein.clients._recording import Recording

_ITERATOR = "_iterator"


class Watched:
    """An iterator that tells a recording what it yields. Dropped before its end: abandoned."""

    def __init__(self, source: Iterator[Any], recording: Recording) -> None:
        self._source, self._recording = source, recording

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            event = next(self._source)
        except StopIteration:
            self._recording.streamed()
            raise
        except BaseException as error:
            self._recording.failed(error)
            raise
        self._recording.event(event)
        return event

    def close(self) -> None:
        self._recording.abandoned()
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    def __del__(self) -> None:
        # Collected at any moment, perhaps while a lock is held that recording needs.
        if not self._recording.ended:
            later(self._recording.abandoned)


class WatchedAsync:
    """The same for asynchronous streams."""

    def __init__(self, source: AsyncIterator[Any], recording: Recording) -> None:
        self._source, self._recording = source, recording

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            event = await anext(self._source)
        except StopAsyncIteration:
            self._recording.streamed()
            raise
        except BaseException as error:
            self._recording.failed(error)
            raise
        self._recording.event(event)
        return event

    async def aclose(self) -> None:
        self._recording.abandoned()
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()

    def __del__(self) -> None:
        # Collected at any moment, perhaps while a lock is held that recording needs.
        if not self._recording.ended:
            later(self._recording.abandoned)


def watch(stream: Any, recording: Recording) -> bool:
    """Watch a client's stream. False where it is no stream that can be watched."""
    source = getattr(stream, _ITERATOR, None)
    if source is None:
        return False
    watched = WatchedAsync if hasattr(source, "__anext__") else Watched
    setattr(stream, _ITERATOR, watched(source, recording))
    _watch_close(stream, recording)
    return True


def _watch_close(stream: Any, recording: Recording) -> None:
    """`close` ends the record at once. It holds no stream: that would keep a dropped one alive."""
    close = type(stream).close
    found = weakref.ref(stream)
    if inspect.iscoroutinefunction(close):

        async def close_it() -> None:
            recording.abandoned()
            await close(found())

        stream.close = close_it
    else:

        def close_it_here() -> None:
            recording.abandoned()
            close(found())

        stream.close = close_it_here
