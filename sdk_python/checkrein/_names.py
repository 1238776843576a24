"""Names and ids as the gateway accepts them: at most 256 characters, composed, nothing invisible.

Ids can be made of what an agent wrote (an order number as idempotency key). One that the gateway
would refuse is replaced by its digest, so that an odd character is no way to an unchecked call.
"""

from __future__ import annotations

import hashlib
import unicodedata

MAX_CHARS = 256
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def name(text: object) -> str:
    """The text without what a name cannot hold; empty when nothing is left."""
    composed = unicodedata.normalize("NFC", str(text))
    shown = "".join(char for char in composed if unicodedata.category(char) not in _HIDDEN)
    return shown.strip()[:MAX_CHARS].strip()


def identifier(text: object) -> str:
    """The text itself when it is fit to be an id, else `sha256:` and its digest."""
    given = str(text)
    if given == name(given):
        return given
    return f"sha256:{hashlib.sha256(given.encode('utf-8', 'replace')).hexdigest()}"
