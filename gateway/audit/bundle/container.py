"""An export as a zip or a folder: written in one form, read without trusting anything in it.

A zip is stored, not compressed: compressors differ between versions, so the bytes would too. A zip
that is read must be stored as well, hence no bomb can be in it; names are held against the list
of what an export consists of before anything is opened, so no path leads anywhere.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

from gateway.audit.bundle.names import BYTES_MAX, FILES_MAX, is_name
from gateway.errors import CheckreinError

# What a zip's own clock begins with.
EPOCH = (1980, 1, 1, 0, 0, 0)
UNIX = 3
MODE = 0o100644 << 16


class ContainerRefused(CheckreinError):
    """Not an export: too large, compressed, or with files that none consists of."""


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The zip: sorted names, fixed times, nothing compressed."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = UNIX
            entry.external_attr = MODE
            archive.writestr(entry, files[name])
    return written.getvalue()


def write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    """Raises FileExistsError: nothing is written over."""
    with path.open("xb") as file:
        file.write(zipped(files))


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """A new folder, or an empty one. Raises FileExistsError."""
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise FileExistsError(f"{path} is not empty")
    for name, data in files.items():
        assert is_name(name)
        place = path / name
        place.parent.mkdir(exist_ok=True)
        with place.open("xb") as file:
            file.write(data)


def unzipped(data: bytes, bytes_max: int = BYTES_MAX) -> dict[str, bytes]:
    """The files of a zip in memory. Raises ContainerRefused.

    A zip of these files has one form; another one has something beside them, or was touched.
    """
    if len(data) > bytes_max:
        raise ContainerRefused(f"The zip is larger than {bytes_max:,} bytes.")
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _admit([entry.filename for entry in entries])
            for entry in entries:
                _stored_plainly(entry, len(data))
                # The checksum is not looked at: the receipt names what was touched.
                files[entry.filename] = _content(data, entry)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError) as error:
        raise ContainerRefused(f"This is no zip that can be read: {error}") from error
    return files


def is_plain(data: bytes, files: Mapping[str, bytes]) -> bool:
    """Whether a zip is what we would write of its files: nothing hidden, not one byte otherwise."""
    return zipped(files) == data


def read_folder(path: Path, bytes_max: int = BYTES_MAX) -> dict[str, bytes]:
    """The files of a folder; links and anything but files are refused. Raises ContainerRefused."""
    found = []
    for below, folders, files in os.walk(path):
        here = Path(below)
        for name in (*folders, *files):
            if (here / name).is_symlink():
                raise ContainerRefused(f"{name[:100]} is a link; an export has none.")
        found += [(here / name).relative_to(path).as_posix() for name in files]
        if len(found) > FILES_MAX:
            break
    _admit(found)
    read: dict[str, bytes] = {}
    size = 0
    for name in sorted(found):
        place = path / name
        told = place.lstat()
        size += told.st_size
        if not stat.S_ISREG(told.st_mode) or size > bytes_max:
            raise ContainerRefused(f"{name} is no file, or there is more than {bytes_max:,} bytes.")
        read[name] = place.read_bytes()
    return read


def _admit(found: list[str]) -> None:
    if len(found) > FILES_MAX:
        raise ContainerRefused(f"There are more than {FILES_MAX:,} files.")
    if len(set(found)) < len(found):
        raise ContainerRefused("A name occurs twice.")
    for name in found:
        if not is_name(name):
            raise ContainerRefused(f"An export has no file {name[:100]!r}.")


def _stored_plainly(entry: zipfile.ZipInfo, limit: int) -> None:
    if (
        entry.compress_type != zipfile.ZIP_STORED
        or entry.compress_size != entry.file_size
        or entry.file_size > limit
        or entry.flag_bits & 0x1
    ):
        raise ContainerRefused(f"{entry.filename} is compressed or encrypted; exports are not.")


def _content(data: bytes, entry: zipfile.ZipInfo) -> bytes:
    """An entry's bytes behind its local header, whose names' lengths are its own."""
    header = data[entry.header_offset : entry.header_offset + 30]
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise ContainerRefused(f"{entry.filename} does not begin where the zip says.")
    begins = entry.header_offset + 30 + _two(header, 26) + _two(header, 28)
    found = data[begins : begins + entry.file_size]
    if len(found) != entry.file_size:
        raise ContainerRefused(f"{entry.filename} is cut short.")
    return found


def _two(header: bytes, at: int) -> int:
    return int.from_bytes(header[at : at + 2], "little")
