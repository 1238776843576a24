"""The installation's signing keys: made one after the other, the newest one signs.

A private key lies in Control only sealed, under a key derived from the master key for this alone,
so what reads the database signs nothing. Older keys stay, since what they signed must still be
verified. Numbers are given by the store, first come: two rotations at once cannot share one.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gateway.ambient import Ambient
from gateway.audit.signing import ed25519
from gateway.audit.signing.ed25519 import Signer
from gateway.domain import sealing
from gateway.domain.instants import rfc3339
from gateway.domain.sealing import SealBroken
from gateway.errors import CheckreinError, ConfigInvalid
from gateway.storage.ports import Control

PURPOSE = "audit-signing-keys"
# The installation's own keys belong to no project.
NO_PROJECT = ""
KEYS_MAX = 1_000


class NoSigningKey(CheckreinError):
    """Nothing can be signed before a key was made."""


class KeyExists(CheckreinError):
    """There is a signing key already: it is replaced by rotation, never made anew."""


class SigningKey(Struct, frozen=True):
    """A key as it is listed. `number` counts from 1; the one that is `active` signs."""

    number: int
    key_id: str
    public: bytes
    created_at: str
    active: bool


class _Kept(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    secret: bytes
    created_at: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Kept)


class SigningKeys:
    """Makes, lists and opens signing keys. `wrapping` is derived from the master key."""

    def __init__(self, control: Control, wrapping: bytes) -> None:
        self._control = control
        self._wrapping = wrapping

    async def create(self, ambient: Ambient) -> SigningKey:
        """The first key. Raises KeyExists."""
        if await self._kept():
            raise KeyExists("There is a signing key already.")
        return await self._add(ambient, 1)

    async def rotate(self, ambient: Ambient) -> SigningKey:
        """A new key, which signs from now on. Raises NoSigningKey when there was none."""
        count = len(await self._kept())
        if count == 0:
            raise NoSigningKey("There is no signing key to rotate.")
        if count >= KEYS_MAX:
            raise KeyExists(f"An installation has at most {KEYS_MAX:,} signing keys.")
        return await self._add(ambient, count + 1)

    async def listed(self) -> list[SigningKey]:
        """Every key, in the order they were made."""
        kept = await self._kept()
        return [
            _listed(number, each, active=number == len(kept))
            for number, each in enumerate(kept, start=1)
        ]

    async def public_keys(self) -> dict[str, bytes]:
        """Every public key by its id, those that no longer sign among them."""
        return {key.key_id: key.public for key in await self.listed()}

    async def signer(self) -> Signer | None:
        """What signs now, None before the first key was made."""
        kept = await self._kept()
        return Signer(kept[-1].secret) if kept else None

    async def _add(self, ambient: Ambient, number: int) -> SigningKey:
        made = _Kept(1, ed25519.new_signer().secret, rfc3339(ambient.now_ns()))
        sealed = sealing.seal(self._wrapping, _encoder.encode(made), _aad(number))
        stored = await self._control.put_wrapped_key(NO_PROJECT, _name(number), sealed)
        if stored != sealed:
            raise KeyExists("Another process made a signing key at the same moment.")
        return _listed(number, made, active=True)

    async def _kept(self) -> list[_Kept]:
        kept: list[_Kept] = []
        while len(kept) < KEYS_MAX:
            number = len(kept) + 1
            sealed = await self._control.wrapped_key(NO_PROJECT, _name(number))
            if sealed is None:
                break
            kept.append(self._open(number, sealed))
        return kept

    def _open(self, number: int, sealed: bytes) -> _Kept:
        try:
            kept = _decoder.decode(sealing.unseal(self._wrapping, sealed, _aad(number)))
        except (SealBroken, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigInvalid(
                f"Signing key {number} does not open: it was changed, or made under another "
                "master key."
            ) from error
        if kept.version != 1:
            raise ConfigInvalid(f"Signing key {number} is of a newer release.")
        return kept


def _listed(number: int, kept: _Kept, *, active: bool) -> SigningKey:
    public = Signer(kept.secret).public
    return SigningKey(number, ed25519.key_id(public), public, kept.created_at, active)


def _name(number: int) -> str:
    return f"signing-key/{number}"


def _aad(number: int) -> bytes:
    return f"signing-key\x00{number}".encode()
