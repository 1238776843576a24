"""A folder as a witness: every checkpoint is a file of its own, and none is written over.

It belongs where the gateway's own data does not lie: another disk, a share, a checkout of a
repository that somebody else pulls.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
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
        found = checkpoint.read(path.read_bytes(), origin, keys)
    except NoteBroken as error:
        raise NoteBroken(f"{path.name}: {error}") from error
    if path.name != name_of(found.size):
        # An older one under a larger name would hide those that were seen since.
        raise NoteBroken(f"{path.name} holds the checkpoint of {found.size:,} events")
    return found


def name_of(size: int) -> str:
    """The file of a checkpoint: their names are in the order of their sizes."""
    return f"checkpoint-{size:015d}.txt"


def push(folder: Path, note: bytes, size: int) -> Path:
    """Write a checkpoint, durable when this returns; one of the same size that is there stays.

    What stands there already was found consistent before: it has the same root.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name_of(size)
    # Under its name it is whole or not there: half a checkpoint would be one that was touched.
    descriptor, begun = tempfile.mkstemp(prefix=".begun-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(note)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(begun)
    finally:
        Path(begun).unlink()
    kept = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(kept)
    finally:
        os.close(kept)
    return path
