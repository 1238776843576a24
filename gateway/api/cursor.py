"""Cursors of lists: opaque to the caller, bound to the project and the filters, and signed.

A cursor is the place of the last row of a page. Nobody can make one up to look into another
project, or go on with other filters than the list began with.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any, Final

import msgspec

from gateway.errors import BadRequest

Place = tuple[str, str]
CURSOR_CHARS: Final = 1024
_MAC_BYTES: Final = 16
_encoder: Final = msgspec.json.Encoder(order="sorted")
_place: Final[msgspec.json.Decoder[Place]] = msgspec.json.Decoder(Place)


def write(key: bytes, project_id: str, wanted: Any, place: Place) -> str:
    """The cursor that goes on after `place`; `wanted` is the list's name with its filters."""
    said = _encoder.encode(place)
    return base64.urlsafe_b64encode(_mac(key, project_id, wanted, said) + said).decode()


def read(key: bytes, project_id: str, wanted: Any, cursor: str | None) -> Place | None:
    """The place a cursor stands for. Raises BadRequest `bad_cursor`."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        mac, said = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if hmac.compare_digest(mac, _mac(key, project_id, wanted, said)):
            return _place.decode(said)
    except (binascii.Error, UnicodeEncodeError, msgspec.DecodeError):
        pass
    raise BadRequest("bad_cursor", "This cursor does not belong to this list and these filters.")


def _mac(key: bytes, project_id: str, wanted: Any, said: bytes) -> bytes:
    bound = _encoder.encode(["checkrein/cursor/v1", project_id, wanted])
    message = hashlib.sha256(bound).digest() + said
    return hmac.digest(key, message, "sha256")[:_MAC_BYTES]
