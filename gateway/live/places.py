"""Resume ids: where a follower is in a project's feed, as text that says nothing to anybody else.

Sealed the same way every time, so a message has one id whichever gateway tells it and however
often; and bound to the project, so that nobody can make one up or learn how much others do.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from gateway.domain import sealing
from gateway.errors import BadRequest

# The place of an event in the feed, and which of its messages: an event may be worth two.
At = tuple[int, int]
# Behind all messages of an event.
WHOLE: Final = 9
ID_CHARS: Final = 64
_PLACE_BYTES: Final = 9


class Places:
    """Writes and reads the resume ids of one project."""

    def __init__(self, key: bytes, project_id: str) -> None:
        self._cipher = AESSIV(sealing.derive(key, "live"))
        self._bound = [project_id.encode()]

    def write(self, at: At) -> str:
        place, part = at
        sealed = self._cipher.encrypt(place.to_bytes(8, "big") + bytes([part]), self._bound)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def read(self, text: str) -> At:
        """Raises BadRequest `bad_cursor` for what is no id of this project."""
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            opened = self._cipher.decrypt(sealed, self._bound)
        except (binascii.Error, ValueError, InvalidTag):
            opened = b""
        if len(opened) != _PLACE_BYTES:
            raise BadRequest("bad_cursor", "This id belongs to no message of this project.")
        return int.from_bytes(opened[:8], "big"), opened[8]
