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
    """A key as it is listed. `number` counts from 1; the one that is `active` signs.

    `compromised_at` is when it fell into other hands: what was recorded from then on does not hold
    under it, and it signs nothing any more.
    """

    number: int
    key_id: str
    public: bytes
    created_at: str
    active: bool
    compromised_at: str | None = None


class _Kept(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    secret: bytes
    created_at: str


class _Revoked(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    key_id: str
    compromised_at: str
    said_at: str


_revocations = msgspec.msgpack.Decoder(_Revoked)
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
        found = []
        for number, each in enumerate(kept, start=1):
            at = await self._compromised_at(number)
            active = number == len(kept) and at is None
            found.append(_listed(number, each, active=active, compromised_at=at))
        return found

    async def revoke(self, ambient: Ambient, key_id: str, compromised_at: str) -> SigningKey:
        """Say for good that a key fell into other hands then. Raises NoSigningKey, KeyExists."""
        for key in await self.listed():
            if key.key_id == key_id:
                said = _Revoked(1, key_id, compromised_at, rfc3339(ambient.now_ns()))
                aad = _revocation_aad(key.number)
                sealed = sealing.seal(self._wrapping, _encoder.encode(said), aad)
                name = _revocation_name(key.number)
                if await self._control.put_wrapped_key(NO_PROJECT, name, sealed) != sealed:
                    raise KeyExists("This key was revoked before, and that stays.")
                return msgspec.structs.replace(key, active=False, compromised_at=compromised_at)
        raise NoSigningKey("There is no signing key of this id.")

    async def compromised(self) -> dict[str, str]:
        """When keys were compromised, by id, those that were."""
        found = await self.listed()
        return {key.key_id: key.compromised_at for key in found if key.compromised_at is not None}

    async def public_keys(self) -> dict[str, bytes]:
        """Every public key by its id, those that no longer sign among them."""
        return {key.key_id: key.public for key in await self.listed()}

    async def signer(self) -> Signer | None:
        """What signs now, None before the first key was made, or while the newest is revoked."""
        kept = await self._kept()
        if not kept or await self._compromised_at(len(kept)) is not None:
            return None
        return Signer(kept[-1].secret)

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

    async def _compromised_at(self, number: int) -> str | None:
        sealed = await self._control.wrapped_key(NO_PROJECT, _revocation_name(number))
        if sealed is None:
            return None
        try:
            opened = sealing.unseal(self._wrapping, sealed, _revocation_aad(number))
            return _revocations.decode(opened).compromised_at
        except (SealBroken, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigInvalid(f"What was said of signing key {number} does not open.") from error

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


def _listed(
    number: int, kept: _Kept, *, active: bool, compromised_at: str | None = None
) -> SigningKey:
    public = Signer(kept.secret).public
    key_id = ed25519.key_id(public)
    return SigningKey(number, key_id, public, kept.created_at, active, compromised_at)


def _revocation_name(number: int) -> str:
    return f"signing-key-revoked/{number}"


def _revocation_aad(number: int) -> bytes:
    return f"signing-key-revoked\x00{number}".encode()


def _name(number: int) -> str:
    return f"signing-key/{number}"


def _aad(number: int) -> bytes:
    return f"signing-key\x00{number}".encode()
