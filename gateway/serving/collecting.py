"""When a process looks for cycles: seldom, since neither a check nor recording makes any."""

from __future__ import annotations

import gc

# A worker has batches of thousands of events in hand, which a collection would only look at.
WORKERS_YOUNG = 200_000


def collect_seldom(young: int = 20_000) -> None:
    """Leave what was loaded at the start out of every later collection, and collect seldom.

    A check makes hundreds of objects, an event that is recorded dozens, and no cycles. Measured:
    collections in between doubled a check's 99th percentile under load, and took a sixth of the
    worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, 20, 100)
