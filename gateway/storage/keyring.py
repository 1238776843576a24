"""The keys above content: master key, project keys, subject keys, and the runs' wrapped secrets.

    master key > project key > subject key (a run's user) > run secret
                             > run secret (runs without a user)

Control holds keys only wrapped by the one above; opened ones live here, in memory and bounded.
Destroying a wrapped key therefore erases everything below it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from gateway.domain import sealing
from gateway.domain.sealing import SealBroken
from gateway.errors import ConfigInvalid, Conflict
from gateway.storage.ports import Control

OPENED_MAX = 4096
_SENTINEL = ""


class KeyMissing(SealBroken):
    """The key that wrapped this secret does not exist (any more): what it sealed is erased."""


class _Wrapped(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A run's wrapped secret: which subject's key wrapped it, None for the project's."""

    version: int
    subject: str | None
    sealed: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Wrapped)


OpenSecret = Callable[[str, bytes], Awaitable[bytes]]


async def opened_secret(open_secret: OpenSecret, project_id: str, wrapped: bytes) -> bytes:
    """The secret of a run that goes on. Raises SealBroken, or Conflict when it was destroyed."""
    try:
        if wrapped:
            return await open_secret(project_id, wrapped)
    except KeyMissing:
        pass
    raise Conflict("run_erased", "The content of this run was erased: nothing can follow in it.")


class Keyring:
    """Opens and makes keys. Nothing waits once the project's and the subject's key are known."""

    def __init__(self, control: Control, master: bytes, opened_max: int = OPENED_MAX) -> None:
        self._control = control
        self._master = master
        self._opened: OrderedDict[tuple[str, str | None], bytes] = OrderedDict()
        self._opened_max = opened_max

    async def verify(self) -> None:
        """Raises ConfigInvalid when this master key is not the one the store began with."""
        try:
            await self._key(_SENTINEL, None, make=True)
        except SealBroken as error:
            raise ConfigInvalid(
                "The master key does not belong to this data: it was encrypted under another one. "
                "Give the gateway the key it was first started with."
            ) from error

    def forget(self) -> None:
        """Let go of every key in memory: one of them may have been destroyed by somebody else."""
        self._opened.clear()

    def derived(self, purpose: str) -> bytes:
        """A key of the installation for one purpose, from the master key."""
        return sealing.derive(self._master, purpose)

    async def run_secret_wrap(self, project_id: str, user_id: str | None, secret: bytes) -> bytes:
        """A run's secret, wrapped by its user's key, which is made when new, or the project's."""
        key = await self._key(project_id, user_id, make=True)
        sealed = sealing.wrap(key, secret, _run_aad(project_id))
        return _encoder.encode(_Wrapped(1, user_id, sealed))

    async def run_secret(self, project_id: str, wrapped: bytes) -> bytes:
        """The secret that `run_secret_wrap` wrapped. Raises SealBroken, KeyMissing among them."""
        try:
            parts = _decoder.decode(wrapped)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise SealBroken("a run's wrapped secret cannot be read") from error
        if parts.version != 1:
            raise SealBroken(f"a wrapped secret of version {parts.version}, this release reads 1")
        places = ((project_id, parts.subject), (project_id, None))
        remembered = any(place in self._opened for place in places)
        try:
            return await self._unwrapped(project_id, parts)
        except SealBroken:
            if not remembered:
                raise
            # A key that was destroyed is made anew by whoever needs it first.
            for place in places:
                self._opened.pop(place, None)
            return await self._unwrapped(project_id, parts)

    async def _unwrapped(self, project_id: str, parts: _Wrapped) -> bytes:
        key = await self._key(project_id, parts.subject, make=False)
        return sealing.unwrap(key, parts.sealed, _run_aad(project_id))

    async def _key(self, project_id: str, subject: str | None, *, make: bool) -> bytes:
        place = (project_id, subject)
        key = self._opened.get(place)
        if key is None:
            key = await self._open(project_id, subject, make=make)
            self._opened[place] = key
            while len(self._opened) > self._opened_max:
                self._opened.popitem(last=False)
        else:
            self._opened.move_to_end(place)
        return key

    async def _open(self, project_id: str, subject: str | None, *, make: bool) -> bytes:
        above = self._master if subject is None else await self._key(project_id, None, make=make)
        aad = _key_aad(project_id, subject)
        wrapped = await self._control.wrapped_key(project_id, subject)
        if wrapped is None:
            if not make:
                raise KeyMissing("the key of this secret was destroyed or never made")
            fresh = sealing.wrap(above, sealing.new_secret(), aad)
            # Another process may have been first: its key counts.
            wrapped = await self._control.put_wrapped_key(project_id, subject, fresh)
        return sealing.unwrap(above, wrapped, aad)


def _key_aad(project_id: str, subject: str | None) -> bytes:
    if subject is None:
        return f"project-key\x00{project_id}".encode()
    return f"subject-key\x00{project_id}\x00{subject}".encode()


def _run_aad(project_id: str) -> bytes:
    return f"run-secret\x00{project_id}".encode()
