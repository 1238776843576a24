"""Globs over tool names, as `fnmatch.fnmatchcase` reads them, made ready once for each glob.

Globs come from policies, names from agents: a name never costs a compilation, and matching one
takes a time linear in its length for each star.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from functools import lru_cache

# More globs than a policy has; each is small.
REMEMBERED = 65_536
_SPECIAL = re.compile(r"[*?\[]")


def fits(name: str, glob: str) -> bool:
    """Whether the whole name, with its case, is what the glob says."""
    return _test(glob)(name)


def make_ready(globs: Iterable[str]) -> None:
    """Compile globs where nobody waits for it, not at the first name."""
    for glob in globs:
        _test(glob)


@lru_cache(maxsize=REMEMBERED)
def _test(glob: str) -> Callable[[str], bool]:
    """A test of names. Most globs are a name, or a beginning and a star: those need no pattern."""
    if not _SPECIAL.search(glob):
        return lambda name: name == glob
    head, star, rest = glob.partition("*")
    if star and not rest and not _SPECIAL.search(head):
        return lambda name: name.startswith(head)
    pattern = re.compile(translate(glob)).match
    return lambda name: pattern(name) is not None
