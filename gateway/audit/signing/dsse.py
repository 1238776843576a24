"""DSSE envelopes: a signature over bytes and over what kind of bytes they are.

Signed is the pre-authentication encoding of both, so no signature over one kind of document can be
passed off as one over another. An envelope has one form, to the byte.
"""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Struct

from gateway.audit.signing import ed25519
from gateway.audit.signing.ed25519 import PublicKeys, Signer
from gateway.domain import canonical


class EnvelopeBroken(ValueError):
    """Not an envelope, not in its one form, or not signed by a key that is known."""


class _Signature(Struct, frozen=True, forbid_unknown_fields=True):
    keyid: str
    sig: str


class _Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    payload: str
    payloadType: str  # noqa: N815 - DSSE's own name
    signatures: list[_Signature]


class Sealed(Struct, frozen=True):
    """What an envelope held, and which key vouches for it."""

    kind: str
    payload: bytes
    key_id: str


# An envelope's fields stand in the order of their names.
_BEGINS = b'{"payload":"'
_decoder = msgspec.json.Decoder(_Envelope)


def pae(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding, version 1: lengths first, so nothing can be shifted."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def enclose(signer: Signer, kind: str, payload: bytes) -> bytes:
    """The envelope, as canonical JSON. Ed25519 needs no chance: the same bytes each time."""
    signature = _Signature(signer.key_id, _text(signer.sign(pae(kind, payload))))
    around = canonical.encode(_Envelope("", kind, [signature]))
    return _BEGINS + base64.b64encode(payload) + around.removeprefix(_BEGINS)


def open_envelope(envelope: bytes, keys: PublicKeys) -> Sealed:
    """The payload that one of these keys signed. Raises EnvelopeBroken."""
    text, rest = _apart(envelope)
    try:
        read = _decoder.decode(rest)
        payload = binascii.a2b_base64(text, strict_mode=True)
        signatures = [
            (each.keyid, base64.b64decode(each.sig, validate=True)) for each in read.signatures
        ]
    except (msgspec.MsgspecError, UnicodeError, binascii.Error, ValueError) as error:
        raise EnvelopeBroken(f"is no envelope: {error}") from error
    # Base64 has several spellings of some bytes; only what we would write ourselves counts.
    if (
        len(signatures) != 1
        or base64.b64encode(payload) != text
        or canonical.encode(_again(read, signatures)) != rest
    ):
        raise EnvelopeBroken("is not written in its one form")
    ((named, signature),) = signatures
    public = keys.get(named)
    if public is None:
        raise EnvelopeBroken(f"is signed by key {named[:64]}, which is not among those given")
    if not ed25519.holds(public, signature, pae(read.payloadType, payload)):
        raise EnvelopeBroken(f"the signature is not that of key {named} over these bytes")
    return Sealed(read.payloadType, payload, named)


def _apart(envelope: bytes) -> tuple[bytes, bytes]:
    """The payload's text, and the envelope without it: it is long, and need not be read as JSON."""
    ends = envelope.find(b'"', len(_BEGINS))
    if ends < 0 or not envelope.startswith(_BEGINS):
        return b"", envelope
    return envelope[len(_BEGINS) : ends], _BEGINS + envelope[ends:]


def _again(read: _Envelope, signatures: list[tuple[str, bytes]]) -> _Envelope:
    again = [_Signature(name, _text(signature)) for name, signature in signatures]
    return _Envelope("", read.payloadType, again)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
