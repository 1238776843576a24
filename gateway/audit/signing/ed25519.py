"""Ed25519 keys as values: what signs, what verifies, and how a key is called.

A key's id is the SHA-256 of its 32 public bytes, cut to 16 bytes, in hexadecimal: whoever holds the
public key can work it out, so an id that names another key is found out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from gateway.errors import CheckreinError

ALGORITHM = "Ed25519"
ID_BYTES = 16
PEM_BYTES_MAX = 64 * 1024
_PEM = re.compile(
    rb"-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]{1,1000}-----END PUBLIC KEY-----", re.ASCII
)

_COMPROMISED = re.compile(
    r"checkrein-key ([0-9a-f]{32}) compromised-at "
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)",
    re.ASCII,
)

# Public keys by their ids, raw.
PublicKeys = Mapping[str, bytes]
# When a key fell into other hands, by its id, RFC 3339 in UTC: what was recorded before holds.
Compromised = Mapping[str, str]


class KeyUnreadable(CheckreinError):
    """The text holds no Ed25519 public key."""


class Signer(Struct, frozen=True):
    """A private key in memory. `secret` are its 32 bytes; they are never shown."""

    secret: bytes

    def __repr__(self) -> str:
        return f"Signer({self.key_id})"

    @property
    def public(self) -> bytes:
        return _private(self.secret).public_key().public_bytes_raw()

    @property
    def key_id(self) -> str:
        return key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        return _private(self.secret).sign(message)


def new_signer() -> Signer:
    return Signer(Ed25519PrivateKey.generate().private_bytes_raw())


def key_id(public: bytes) -> str:
    """What a key is called, from its public bytes."""
    return hashlib.sha256(public).hexdigest()[: 2 * ID_BYTES]


def holds(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the key signed this message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def pem(public: bytes) -> str:
    """The key as OpenSSL and most other programs read it."""
    return (
        Ed25519PublicKey.from_public_bytes(public)
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def from_pem(text: bytes) -> dict[str, bytes]:
    """Every public key of a file, by id: after a rotation there is more than one.

    Raises KeyUnreadable when there is none, or one of them is of another kind.
    """
    if len(text) > PEM_BYTES_MAX:
        raise KeyUnreadable(f"A file of public keys has at most {PEM_BYTES_MAX:,} bytes.")
    found: dict[str, bytes] = {}
    for block in _PEM.findall(text):
        try:
            key = serialization.load_pem_public_key(block)
        except ValueError as error:
            raise KeyUnreadable("A public key in the file cannot be read.") from error
        if not isinstance(key, Ed25519PublicKey):
            raise KeyUnreadable("A public key in the file is not an Ed25519 key.")
        public = key.public_bytes_raw()
        found[key_id(public)] = public
    if not found:
        raise KeyUnreadable("There is no public key in PEM form in the file.")
    return found


def statement(id: str, at: str) -> str:
    """What a file of keys says of a compromised one, on a line of its own outside of PEM blocks."""
    return f"checkrein-key {id} compromised-at {at}\n"


def compromised(text: bytes) -> dict[str, str]:
    """What a file of keys says of those that were compromised; of a key said twice the earlier.

    Raises KeyUnreadable when such a line cannot be read: what was meant must not be passed over.
    """
    found: dict[str, str] = {}
    for line in text.decode("ascii", "replace").splitlines():
        if not line.startswith("checkrein-key"):
            continue
        said = _COMPROMISED.fullmatch(line.rstrip())
        if said is None:
            raise KeyUnreadable("A line `checkrein-key` in the file of keys cannot be read.")
        key, at = said.groups()
        found[key] = min(at, found.get(key, at))
    return found


def _private(secret: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(secret)
