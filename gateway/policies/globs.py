"""Which globs of tool names a policy may hold, and what a glob stands for in a check."""

from __future__ import annotations

from fnmatch import fnmatchcase

LONGEST = 256
STARS_MAX = 8


def trouble(glob: str) -> str | None:
    """What is wrong with a glob, in words; None when it may be used."""
    if not glob or len(glob) > LONGEST:
        return f"a tool glob has 1 to {LONGEST} characters"
    if not glob.isprintable() or any(char.isspace() for char in glob):
        return f"the tool glob `{glob!r}` holds white space or a control character"
    if glob.count("*") > STARS_MAX:
        return f"the tool glob `{glob}` has more than {STARS_MAX} stars"
    if glob.count("[") != glob.count("]"):
        return f"the tool glob `{glob}` has a bracket that is not closed"
    return None


def example(glob: str) -> str:
    """A tool name that the glob matches, for globs without character classes."""
    return glob.replace("*", "x").replace("?", "x")


def overlap(one: str, other: str) -> bool:
    """Whether some tool is certainly matched by both."""
    return fnmatchcase(example(one), other) or fnmatchcase(example(other), one)
