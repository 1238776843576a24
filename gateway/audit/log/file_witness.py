"""A folder as a witness: every checkpoint is a file of its own, and none is written over.

It belongs where the gateway's own data does not lie: another disk, a share, a checkout of a
repository that somebody else pulls.
"""

from __future__ import annotations

import os
from pathlib import Path

from gateway.audit.log import checkpoint
from gateway.audit.log.checkpoint import Checkpoint, NoteBroken
from gateway.audit.signing.ed25519 import PublicKeys

PATTERN = "checkpoint-*.txt"


def seen(folder: Path, origin: str, keys: PublicKeys) -> list[Checkpoint]:
    """Every checkpoint of the folder. Raises NoteBroken, naming the file, when one was touched."""
    found = []
    for path in sorted(folder.glob(PATTERN)):
        try:
            found.append(checkpoint.read(path.read_bytes(), origin, keys))
        except NoteBroken as error:
            raise NoteBroken(f"{path.name}: {error}") from error
    return found


def newest(folder: Path, origin: str, keys: PublicKeys) -> Checkpoint | None:
    """The largest checkpoint of the folder, None where there is none. Raises NoteBroken."""
    path = max(folder.glob(PATTERN), default=None)
    if path is None:
        return None
    try:
        return checkpoint.read(path.read_bytes(), origin, keys)
    except NoteBroken as error:
        raise NoteBroken(f"{path.name}: {error}") from error


def push(folder: Path, note: bytes, size: int) -> Path:
    """Write a checkpoint, durable when this returns; one of the same size that is there stays.

    What stands there already was found consistent before: it has the same root.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"checkpoint-{size:015d}.txt"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return path
    with os.fdopen(descriptor, "wb") as file:
        file.write(note)
        file.flush()
        os.fsync(file.fileno())
    return path
