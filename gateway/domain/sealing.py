"""The cryptography of content: sealing, wrapping, commitments.

Pure but for the nonces. Every run has a random secret of 32 bytes, and everything here is derived
from it:

    content key   HKDF-SHA256(secret, "content")
    sealed        nonce (12 bytes) || AES-256-GCM(key, data, aad)
    commitment    HMAC(HMAC(secret, event id || 00 || name), data)
    storage key   HMAC(secret, "store" || 00 || data)

The inner HMAC of a commitment can be handed out to open one part to an outsider; it says nothing
about any other part.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12
NONCES_AT_ONCE = 256
TAG_BYTES = 16
BLOCK_BYTES = 64
_sha256 = hashlib.sha256
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
# Behind a key of a hash's size, the rest of the block.
_INNER_REST = _INNER[:1] * (BLOCK_BYTES - KEY_BYTES)
_OUTER_REST = _OUTER[:1] * (BLOCK_BYTES - KEY_BYTES)


class SealBroken(ValueError):
    """The bytes were not sealed with this key for this place, or were changed afterwards."""


def new_secret() -> bytes:
    """32 random bytes: a run's secret, or a key."""
    return os.urandom(KEY_BYTES)


def content_key(secret: bytes) -> bytes:
    """The key of a run's content, from the run's secret."""
    return derive(secret, "content")


def derive(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose: HKDF-SHA256 without salt, the purpose as its info."""
    return HKDF(hashes.SHA256(), KEY_BYTES, None, purpose.encode()).derive(secret)


def seal(key: bytes, data: bytes, aad: bytes) -> bytes:
    """Nonce and ciphertext. `aad` says where the bytes belong; elsewhere they do not open."""
    nonce = _nonce()
    return nonce + _cipher(key).encrypt(nonce, data, aad)


def unseal(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """What was sealed. Raises SealBroken."""
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise SealBroken("the sealed bytes are cut short")
    try:
        return _cipher(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
    except InvalidTag:
        raise SealBroken("the seal does not fit key, place and bytes") from None


def wrap(key: bytes, secret: bytes, aad: bytes) -> bytes:
    """A secret or a key, sealed by the key above it."""
    assert len(secret) == KEY_BYTES
    return seal(key, secret, aad)


def unwrap(key: bytes, wrapped: bytes, aad: bytes) -> bytes:
    """The 32 bytes that were wrapped. Raises SealBroken."""
    secret = unseal(key, wrapped, aad)
    if len(secret) != KEY_BYTES:
        raise SealBroken("a wrapped key is not 32 bytes long")
    return secret


def commitment(secret: bytes, event_id: str, name: str, data: bytes) -> str:
    """What an event carries in the place of a content part, in hexadecimal."""
    return commitments(secret, event_id, {name: data})[name]


def commitments(secret: bytes, event_id: str, parts: Mapping[str, bytes]) -> dict[str, str]:
    """The commitment of each part by name. An event has dozens: together they cost half."""
    begun, outer_begun = _begun_of(secret, event_id)
    found = {}
    # What `openings` and `_hmac` do, written out: calls are a fifth of what this costs.
    for name, data in parts.items():
        inner = begun.copy()
        inner.update(name.encode())
        outer = outer_begun.copy()
        outer.update(inner.digest())
        key = outer.digest()
        last = _sha256(key.translate(_INNER) + _INNER_REST + data).digest()
        found[name] = _sha256(key.translate(_OUTER) + _OUTER_REST + last).hexdigest()
    return found


def openings(secret: bytes, event_id: str, names: Iterable[str]) -> dict[str, bytes]:
    """For each part what an outsider needs to check it against its commitment, and no other part.

    What is the same for all parts of an event is worked in once.
    """
    begun, outer_begun = _begun_of(secret, event_id)
    found = {}
    for name in names:
        inner = begun.copy()
        inner.update(name.encode())
        outer = outer_begun.copy()
        outer.update(inner.digest())
        found[name] = outer.digest()
    return found


def opened_commitment(opening: bytes, data: bytes) -> str:
    """The commitment of a part, worked out from its opening."""
    return _hmac(opening, data)


def opened_commitments(openings: Mapping[str, bytes], parts: Mapping[str, bytes]) -> dict[str, str]:
    """The same for each part by name, from openings that were made here."""
    found = {}
    # What `_hmac` does for keys of a hash's size, written out for the same reason as above.
    for name, data in parts.items():
        key = openings[name]
        last = _sha256(key.translate(_INNER) + _INNER_REST + data).digest()
        found[name] = _sha256(key.translate(_OUTER) + _OUTER_REST + last).hexdigest()
    return found


def storage_key(secret: bytes, data: bytes) -> str:
    """Where a content part is stored, in hexadecimal: the same bytes once within a run."""
    return _known(secret, _named(b"store", data)).hex()


def _named(label: bytes, data: bytes) -> bytes:
    """No label holds a zero byte, so no two pairs give the same bytes."""
    return label + b"\x00" + data


def _hmac(key: bytes, data: bytes) -> str:
    """HMAC-SHA256 in hexadecimal, as RFC 2104 writes it: on short parts, which content is made of,
    it takes a third of the time of `hmac.digest`, and every event costs dozens."""
    block = key.ljust(BLOCK_BYTES, b"\x00")
    inner = _sha256(block.translate(_INNER) + data).digest()
    return _sha256(block.translate(_OUTER) + inner).hexdigest()


def _known(key: bytes, data: bytes) -> bytes:
    """The same under a key that is used again and again: it is worked in once."""
    begun_inner, begun_outer = _begun(key)
    inner = begun_inner.copy()
    inner.update(data)
    outer = begun_outer.copy()
    outer.update(inner.digest())
    return outer.digest()


@lru_cache(maxsize=2048)
def _begun(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """Both hashes of an HMAC, with the key worked in and nothing else."""
    assert len(key) <= BLOCK_BYTES
    block = key.ljust(BLOCK_BYTES, b"\x00")
    return _sha256(block.translate(_INNER)), _sha256(block.translate(_OUTER))


def _begun_of(secret: bytes, event_id: str) -> tuple[hashlib._Hash, hashlib._Hash]:
    """The same for all parts of one event, with the event worked in as well."""
    begun, outer_begun = _begun(secret)
    # What is remembered of the key stays as it is.
    begun = begun.copy()
    begun.update(_named(event_id.encode(), b""))
    return begun, outer_begun


def _nonce() -> bytes:
    """Random bytes of the kernel, fetched by the page: each fetch lets go of the interpreter."""
    try:
        return _nonces.pop()
    except IndexError:
        fresh = os.urandom(NONCE_BYTES * NONCES_AT_ONCE)
        _nonces.extend(
            fresh[at : at + NONCE_BYTES] for at in range(NONCE_BYTES, len(fresh), NONCE_BYTES)
        )
        return fresh[:NONCE_BYTES]


# A forked child must not hand out the same nonces again.
_nonces: list[bytes] = []
os.register_at_fork(after_in_child=_nonces.clear)


@lru_cache(maxsize=2048)
def _cipher(key: bytes) -> AESGCM:
    """Expanding a key costs as much as sealing with it, and a run seals with one key."""
    return AESGCM(key)
