"""Whether what a tool returned, or a search found, may be believed: the words for it."""

from __future__ import annotations

from typing import Literal, get_args

Provenance = Literal["trusted", "untrusted", "unseen"]
Trust = Provenance | bool


def provenance(trust: Trust | None) -> Provenance:
    """`untrusted` unless something else is said. Raises ValueError for a word it does not know."""
    if trust is None or trust is False:
        return "untrusted"
    if trust is True:
        return "trusted"
    if trust not in get_args(Provenance):
        raise ValueError(f"trust is one of {', '.join(get_args(Provenance))}")
    return trust
