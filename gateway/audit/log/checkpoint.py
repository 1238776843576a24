"""Checkpoints: origin, size and root of a log, as a signed note of the C2SP specifications.

    <origin>
    <size>
    <root, base64>

    — <key name> <base64 of 4 bytes of key id and the signature>

The key id of a note is its own: SHA-256 of name, newline, algorithm (1 is Ed25519) and public key,
cut to four bytes. It is a hint; what counts is the signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from msgspec import Struct

from gateway.audit.log.merkle import HASH_BYTES
from gateway.audit.signing import ed25519
from gateway.audit.signing.ed25519 import PublicKeys, Signer

NOTE_BYTES_MAX = 64 * 1024
_ED25519 = b"\x01"
_SIGNATURE = re.compile(r"\u2014 (\S+) (\S+)")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class NoteBroken(ValueError):
    """Not a checkpoint, or not signed by a key that is known."""


class Checkpoint(Struct, frozen=True):
    """How a log stood. `origin` names the log and nothing else: a project of an installation."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def origin_of(project_id: str) -> str:
    """What a project's log is called."""
    return f"checkrein.dev/log/{project_id}"


def sign(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """The signed note; the log's origin is the key's name, as the specification advises."""
    assert re.fullmatch(r"[^\s+]+", checkpoint.origin)
    text = checkpoint.text()
    hint = _hint(checkpoint.origin, signer.public)
    signature = base64.b64encode(hint + signer.sign(text.encode())).decode()
    return f"{text}\n\u2014 {checkpoint.origin} {signature}\n".encode()


def read(note: bytes, origin: str, keys: PublicKeys) -> Checkpoint:
    """The checkpoint of this log that one of these keys signed. Raises NoteBroken.

    Signatures of others, witnesses say, may stand beside ours; they are passed over.
    """
    if len(note) > NOTE_BYTES_MAX:
        raise NoteBroken("the note is too long")
    try:
        text, divider, rest = note.decode().rpartition("\n\n")
    except UnicodeDecodeError as error:
        raise NoteBroken("the note is not UTF-8") from error
    text += "\n"
    if not divider or not rest.endswith("\n"):
        raise NoteBroken("the note has no signatures")
    checkpoint = _parsed(text)
    if checkpoint.origin != origin:
        raise NoteBroken("the note is of another log")
    signed = [_signed(line, origin, text.encode(), keys) for line in rest[:-1].split("\n")]
    if not any(signed):
        raise NoteBroken("none of the known keys signed this note")
    return checkpoint


def _signed(line: str, origin: str, text: bytes, keys: PublicKeys) -> bool:
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        raise NoteBroken("a signature line cannot be read")
    name, encoded = found.groups()
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteBroken("a signature is not base64") from error
    return name == origin and any(
        data[:4] == _hint(name, public) and ed25519.holds(public, data[4:], text)
        for public in keys.values()
    )


def _parsed(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not _SIZE.fullmatch(lines[1]):
        raise NoteBroken("the note is not that of a checkpoint")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteBroken("the root is not base64") from error
    checkpoint = Checkpoint(lines[0], int(lines[1]), root)
    if len(root) != HASH_BYTES or checkpoint.text() != text:
        raise NoteBroken("the root is not a hash, or written in another way")
    return checkpoint


def _hint(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]
