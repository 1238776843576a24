"""How alike two spellings are: a typing error, or one contained in the other."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 64


def contained(mine: frozenset[str], yours: frozenset[str]) -> float:
    """How much of the smaller set of words is in the other, 0 to 1."""
    if not mine or not yours:
        return 0.0
    return len(mine & yours) / min(len(mine), len(yours))


def near(a: str, b: str) -> bool:
    """Whether one or two letters make the difference, in texts long enough for it to tell."""
    longer = max(len(a), len(b))
    if longer < 4 or longer > LONGEST or abs(len(a) - len(b)) > 2:
        return False
    return _distance(a, b) <= (1 if longer < 8 else 2)


def _distance(a: str, b: str) -> int:
    """Edits with exchanged neighbours counted as one, within the middle that differs."""
    start = 0
    while start < len(a) and start < len(b) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    a, b = a[start : len(a) - end], b[start : len(b) - end]
    if len(a) > 16 or len(b) > 16:
        return 17
    if len(a) == len(b) == 2 and a == b[::-1]:
        return 1
    row = list(range(len(b) + 1))
    for at, left in enumerate(a, 1):
        previous, row = row, [at]
        for to, right in enumerate(b, 1):
            row.append(min(previous[to] + 1, row[-1] + 1, previous[to - 1] + (left != right)))
    return row[-1]
