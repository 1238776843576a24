"""Rego text moved below a prefix, so that many policy versions live on one server.

`package payments.limit` becomes `package checkrein.<key>.p.payments.limit`, and every `data.` in
the text `data.checkrein.<key>.p.`. This reads words, not grammar; what OPA made of the result is
examined before anything is asked of it (`resolved`), so a mistake here is a refusal, not silence.
Lines stay where they are.
"""

from __future__ import annotations

import re

_WORD = re.compile(
    r"""
    \s+ | \#[^\n]*              # white space, comments
    | "(?:[^"\\]|\\.)*"         # text
    | `[^`]*`                   # raw text
    | [A-Za-z_][A-Za-z0-9_]*    # names
    | .                         # anything else, one character
    """,
    re.VERBOSE | re.DOTALL,
)


def prefixed(text: str, prefix: tuple[str, ...]) -> str:
    """The module with its package and its references to `data` below `data.<prefix>`."""
    below = ".".join(prefix)
    parts: list[str] = []
    before = ""
    packaged = False
    for word in _WORD.findall(text):
        if word.isspace() or word.startswith("#"):
            parts.append(word)
            continue
        if before == "package" and not packaged:
            packaged = True
            parts.append(f"{below}.{word}")
        elif word == "data" and before != ".":
            parts.append(f"data.{below}")
        else:
            parts.append(word)
        before = word
    return "".join(parts)
