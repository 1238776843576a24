"""The master key: 32 bytes from a file or from the environment, above every other key."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from gateway.domain import sealing
from gateway.errors import ConfigInvalid


def from_file(path: Path) -> bytes:
    """The key in the file. Raises ConfigInvalid when it is absent, too open or not 32 bytes."""
    try:
        mode = path.stat().st_mode
        key = path.read_bytes()
    except OSError as error:
        raise ConfigInvalid(f"The master key {path} cannot be read: {error.strerror}.") from error
    if mode & 0o077:
        raise ConfigInvalid(f"The master key {path} is open to others: chmod 600 {path}")
    if len(key) != sealing.KEY_BYTES:
        raise ConfigInvalid(f"The master key {path} holds {len(key)} bytes instead of 32.")
    return key


def from_text(text: str) -> bytes:
    """The key from a setting, in base64. Raises ConfigInvalid, which never repeats the text."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigInvalid("The master key in the environment is not base64.") from error
    if len(key) != sealing.KEY_BYTES:
        raise ConfigInvalid(f"The master key in the environment is {len(key)} bytes, not 32.")
    return key


def make(path: Path) -> bytes:
    """A new key in a new file that only its owner can read, durable when this returns.

    Raises FileExistsError: an existing key is never replaced.
    """
    key = sealing.new_secret()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, key)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return key
