"""What an agent or a person wrote, as it leaves: plain, masked first, then cut to size, so that no
cut hides a secret or leaves half of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from checkrein._masking import Masker, Tokens
from checkrein._plain import Plainer
from checkrein._sizes import TEXT_BYTES, fit, short

# Beside the arguments of a call, all of this must leave room within the gateway's node limit.
OBJECT_NODES = 1500


def masked_text(masker: Masker, value: Any, limit: int = TEXT_BYTES) -> str:
    """Text as it is, anything else as its JSON."""
    plain = Plainer()(value).value
    text = plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()
    return short(masker.text(text), limit)


def masked_object(masker: Masker, value: Any, limit: int) -> dict[str, Any]:
    """An object, cut where it is too large."""
    plain = Plainer(OBJECT_NODES)(dict(value)).value
    made: dict[str, Any] = fit(masker.value(plain), limit)[0]
    return made


def whole_members(
    masker: Masker, value: Mapping[Any, Any], redact: Sequence[str], limit: int
) -> dict[str, Any]:
    """The members of an object that fit as a whole: what is compared is not to be cut."""
    made: dict[str, Any] = {}
    nodes = OBJECT_NODES
    for name, member in list(value.items())[:OBJECT_NODES]:
        plain = Plainer(OBJECT_NODES)({name: member})
        masked = masker.value(masker.redact(plain.value, redact, Tokens()))
        size = len(msgspec.json.encode(masked))
        if plain.exact and plain.nodes <= nodes and size <= limit:
            made |= masked
            nodes, limit = nodes - plain.nodes, limit - size
    return made
