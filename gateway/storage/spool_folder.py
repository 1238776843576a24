"""The files of a spool: finding segments, making them, reading them, and letting them go.

Nothing here is shared between threads: it all runs on the spool's one thread, or before that began.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from gateway.errors import ConfigInvalid
from gateway.storage import spool_frames as frames
from gateway.storage.spool_frames import Ending, Piece, SpoolKey

SUFFIX = ".spool"
ASIDE = "aside"


class Segment(Struct):
    """A file of records. `size` is what is known to be durable; what lies behind it is not read.

    `aside`: something in it could not be read, so the file is kept when its records are drained.
    """

    number: int
    path: Path
    size: int = frames.HEADER_BYTES
    records: int = 0
    aside: bool = False


class Found(Struct, frozen=True):
    """What a folder held when it was opened: readable segments in order, and what was wrong."""

    segments: list[Segment]
    next_number: int
    torn: int
    set_aside: int


class SpoolFolder:
    """A folder of segments, for one process alone. Raises ConfigInvalid when another has it."""

    def __init__(self, folder: Path, key: SpoolKey) -> None:
        self._folder = folder
        self._key = key
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            _sync_folder(folder.parent)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigInvalid(f"The spool {folder} cannot be used: {error.strerror}.") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise ConfigInvalid(f"Another gateway uses the spool {folder}.") from error

    def close(self) -> None:
        os.close(self._lock)

    def find(self) -> Found:
        """Look at every segment. What another key or version wrote is set aside, never read."""
        kept: list[Segment] = []
        torn = aside = 0
        for path in self._paths():
            data = path.read_bytes()
            number = int(path.stem)
            own = frames.header(self._key, number)
            if not data.strip(b"\x00") or (data != own and own.startswith(data)):
                path.unlink()  # it was being made
                continue
            if not data.startswith(own):
                self._set_aside(path)
                aside += 1
                continue
            segment, ending = self._scanned(path, number, data)
            torn += ending == "torn"
            aside += segment.aside
            if segment.records:
                kept.append(segment)
            else:
                self.let_go(segment)
        return Found(kept, self._next_number(), torn, aside)

    def create(self, number: int) -> tuple[Segment, int]:
        """A new segment and its descriptor, durable with its name. Raises OSError."""
        path = self._folder / f"{number:020d}{SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            write_whole(descriptor, frames.header(self._key, number))
            os.fsync(descriptor)
            _sync_folder(self._folder)
        except OSError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        return Segment(number, path), descriptor

    def read(self, segment: Segment, place: int, offset: int, most: int) -> list[Piece]:
        """Records from this place on, which lies at this offset; ends are offsets in the file."""
        with segment.path.open("rb") as file:
            file.seek(offset)
            data = file.read(segment.size - offset)
        found, ending = frames.pieces(self._key, segment.number, data, place, most)
        pieces = [Piece(each.place, offset + each.end, each.payload) for each in found]
        if ending != "whole":
            # It was whole when it was written: what is left of it stands as one unreadable record.
            pieces.append(Piece(segment.records - 1, segment.size, None))
        segment.aside = segment.aside or any(piece.payload is None for piece in pieces)
        return pieces

    def let_go(self, segment: Segment) -> None:
        """Remove a drained segment, or set it aside where not all of it could be read."""
        if segment.aside:
            self._set_aside(segment.path)
        else:
            segment.path.unlink(missing_ok=True)
        _sync_folder(self._folder)

    def _scanned(self, path: Path, number: int, data: bytes) -> tuple[Segment, Ending]:
        found, ending = frames.pieces(self._key, number, data[frames.HEADER_BYTES :], 0)
        broken = any(piece.payload is None for piece in found)
        size = frames.HEADER_BYTES + (found[-1].end if found else 0)
        segment = Segment(number, path, size, len(found), aside=broken or ending == "damaged")
        return segment, ending

    def _set_aside(self, path: Path) -> None:
        aside = self._folder / ASIDE
        aside.mkdir(mode=0o700, exist_ok=True)
        path.rename(aside / path.name)
        _sync_folder(aside)

    def _paths(self) -> Iterator[Path]:
        yield from sorted(self._numbered(self._folder.iterdir()), key=lambda path: int(path.stem))

    def _next_number(self) -> int:
        """A number that no segment has, also none of those that were set aside."""
        aside = self._folder / ASIDE
        names = [*self._folder.iterdir(), *(aside.iterdir() if aside.is_dir() else ())]
        return 1 + max((int(path.stem) for path in self._numbered(names)), default=0)

    @staticmethod
    def _numbered(paths: Iterable[Path]) -> Iterator[Path]:
        return (path for path in paths if path.suffix == SUFFIX and path.stem.isdecimal())


def write_whole(descriptor: int, data: bytes) -> None:
    """All of it. Raises OSError; some may have been written then."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
