"""Things that happen at the same time, and whose failures are not lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def together(works: Sequence[Callable[[], T]]) -> list[T]:
    """Run each in a thread of its own; their results in order, or the first failure."""
    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(work) for work in works]
        return [future.result() for future in futures]


@contextmanager
def meanwhile(*works: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run these while the block runs; each gets an event that is set when the block has ended.

    When one of them fails, that is the failure, whatever came of it in the block.
    """
    ended = threading.Event()
    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(work, ended) for work in works]
        try:
            yield
        finally:
            ended.set()
            for future in futures:
                future.result()
