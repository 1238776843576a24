"""When a process looks for cycles: seldom, since neither a check nor recording makes any."""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    """Leave what was loaded at the start out of every later collection, and collect seldom.

    A check makes hundreds of objects, an event that is recorded dozens, and no cycles. Measured:
    collections in between doubled a check's 99th percentile under load, and took a sixth of the
    worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
