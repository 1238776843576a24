"""The bytes of a spool segment: a header, then records framed with length and checksum.

    header   "CRSPOOL" || version (1) || key id (8) || number of the segment (8)
    record   length (4) || CRC-32 of it (4) || CRC-32 of what follows (4) || nonce || AES-256-GCM

The checksums tell a torn write, which leaves a record short, from bytes that changed later. The
seal binds a record to its place, so that records cannot be moved, repeated or left out in the
middle without being noticed.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final, Literal

from msgspec import Struct

from gateway.domain import sealing

VERSION: Final = 1
MAGIC: Final = b"CRSPOOL" + bytes([VERSION])
HEADER_BYTES: Final = len(MAGIC) + 16
_LENGTH: Final = struct.Struct(">I")
_FRAME: Final = struct.Struct(">III")
OVERHEAD: Final = _FRAME.size + sealing.NONCE_BYTES + sealing.TAG_BYTES

Ending = Literal["whole", "torn", "damaged"]


class SpoolKey(Struct, frozen=True):
    """The key of a spool, and a name for it that tells nothing about it."""

    secret: bytes
    id: bytes


class Piece(Struct, frozen=True):
    """A framed record; `end` is where the next begins. `payload` is None where it does not open."""

    place: int
    end: int
    payload: bytes | None


def key_of(master: bytes) -> SpoolKey:
    return SpoolKey(sealing.derive(master, "spool"), sealing.derive(master, "spool-id")[:8])


def header(key: SpoolKey, number: int) -> bytes:
    return MAGIC + key.id + number.to_bytes(8, "big")


def frame(key: SpoolKey, number: int, place: int, payload: bytes) -> bytes:
    """The record at this place of the segment of that number."""
    sealed = sealing.seal(key.secret, payload, _aad(number, place))
    length = len(sealed)
    return _FRAME.pack(length, _check_of(length), zlib.crc32(sealed)) + sealed


def pieces(
    key: SpoolKey, number: int, data: bytes, place: int, most: int | None = None
) -> tuple[list[Piece], Ending]:
    """Up to `most` records of `data`, which begins with the record at `place`; and how it ended.

    `torn`: a record was cut short, or only zeros follow, as a crash leaves it. `damaged`: the
    bytes changed afterwards; nothing behind can be trusted to be framed.
    """
    found: list[Piece] = []
    at = 0
    while at < len(data) and (most is None or len(found) < most):
        if len(data) - at < _FRAME.size:
            return found, "torn"
        length, check, checksum = _FRAME.unpack_from(data, at)
        begin, end = at + _FRAME.size, at + _FRAME.size + length
        if check != _check_of(length):
            return found, "damaged" if any(data[at:]) else "torn"
        if end > len(data):
            return found, "torn"
        sealed = data[begin:end]
        if zlib.crc32(sealed) != checksum:
            return found, "damaged"
        found.append(Piece(place, end, _opened(key, sealed, number, place)))
        place += 1
        at = end
    return found, "whole"


def _check_of(length: int) -> int:
    """The checksum of a length, which a run of zeros does not have."""
    return zlib.crc32(_LENGTH.pack(length))


def _opened(key: SpoolKey, sealed: bytes, number: int, place: int) -> bytes | None:
    try:
        return sealing.unseal(key.secret, sealed, _aad(number, place))
    except sealing.SealBroken:
        return None


def _aad(number: int, place: int) -> bytes:
    return f"spool\x00{number}\x00{place}".encode()
