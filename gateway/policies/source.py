"""A policy folder as text: which files belong to it, their digest, and the Git commit.

Everything else in this package works on `{relative path: text}`, so that a version taken from the
store is judged by the same code as a folder on disk.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from msgspec import Struct

from gateway.domain import canonical
from gateway.errors import PolicyInvalid

FILE_MAX = 256 * 1024
FILES_MAX = 5_000
TOTAL_MAX = 32 * 1024 * 1024
DEPTH_MAX = 16
GIT_SECONDS = 5

MANIFEST = "policy.yaml"
DOMAIN = b"checkrein.policy.v1\x00"
# What a version consists of, by the first part of the path: the endings that count there.
PARTS = {
    "rules": (".rego", ".yaml"),
    "packs": (".rego", ".yaml"),
    "cases": (".yaml",),
    "templates": (".rego", ".yaml"),
    "constraints": (".yaml",),
}

Signature = tuple[tuple[str, int, int, int], ...]


class Source(Struct, frozen=True):
    """The files of one policy version, by their path relative to the folder."""

    files: dict[str, str]
    digest: str
    commit: str | None


def read(folder: Path) -> Source:
    """Read a folder. Raises PolicyInvalid naming every file that cannot be accepted."""
    files: dict[str, str] = {}
    findings: list[str] = []
    total = 0
    for name, path in _listing(folder):
        try:
            text = _text(path)
        except (OSError, ValueError) as error:
            findings.append(f"{name}:1: {error}")
            continue
        files[name] = text
        total += len(text)
        if total > TOTAL_MAX:
            raise PolicyInvalid([f"{name}:1: the folder holds more than {TOTAL_MAX} characters"])
    if MANIFEST not in files and not findings:
        findings.append(f"{MANIFEST}:1: {folder} has no {MANIFEST}")
    if findings:
        raise PolicyInvalid(findings)
    return Source(files, digest(files), commit(folder))


def digest(files: Mapping[str, str]) -> str:
    """SHA-256 in hexadecimal over the sorted paths and the digests of their contents."""
    parts = [[name, canonical.sha256(text.encode())] for name, text in sorted(files.items())]
    return hashlib.sha256(DOMAIN + canonical.encode(parts)).hexdigest()


def signature(folder: Path) -> Signature:
    """What changes when a file of the folder does: cheap, since nothing is read.

    The time of the last change of status counts, because a tool can set back the other one.
    Raises PolicyInvalid where `read` would for the listing itself.
    """
    found = []
    for name, path in _listing(folder):
        try:
            status = path.stat()
        except OSError:
            found.append((name, -1, -1, -1))
            continue
        found.append((name, status.st_mtime_ns, status.st_ctime_ns, status.st_size))
    return tuple(found)


def commit(folder: Path) -> str | None:
    """The Git commit that the folder is at, `+dirty` when it differs; None outside of Git."""
    head = _git(folder, "rev-parse", "--verify", "HEAD")
    if not head or not _git(folder, "ls-files", "--", "."):
        return None
    return f"{head}+dirty" if _git(folder, "status", "--porcelain", "--", ".") else head


def _listing(folder: Path) -> list[tuple[str, Path]]:
    """The files that belong to a version, sorted by path."""
    try:
        root = folder.resolve(strict=True)
        found = sorted(_below(root, root, PurePosixPath(), 0))
    except OSError as error:
        raise PolicyInvalid([f"{MANIFEST}:1: {folder} cannot be read: {error}"]) from error
    if len(found) > FILES_MAX:
        raise PolicyInvalid([f"{found[FILES_MAX][0]}:1: more than {FILES_MAX} files"])
    return found


def _below(
    root: Path, folder: Path, relative: PurePosixPath, depth: int
) -> Iterator[tuple[str, Path]]:
    if depth > DEPTH_MAX:
        raise PolicyInvalid([f"{relative}:1: folders nested deeper than {DEPTH_MAX}"])
    with os.scandir(folder) as entries:
        for entry in entries:
            name = relative / entry.name
            # Editors keep their own files beside a file, and mounts theirs: hidden, or with a `~`.
            if entry.name.startswith((".", "#")) or entry.name.endswith("~"):
                continue
            if not entry.name.isprintable():
                raise PolicyInvalid([f"{str(name)!r}:1: a file name that cannot be shown"])
            if entry.is_dir():
                if depth > 0 or entry.name in PARTS:
                    yield from _below(root, _inside(root, entry, name), name, depth + 1)
            elif str(name) == MANIFEST or name.suffix in PARTS.get(name.parts[0], ()):
                yield str(name), _inside(root, entry, name)


def _inside(root: Path, entry: os.DirEntry[str], name: PurePosixPath) -> Path:
    """The entry itself; a link is followed only within the folder."""
    if not entry.is_symlink():
        return Path(entry.path)
    target = Path(entry.path).resolve()
    if not target.is_relative_to(root):
        raise PolicyInvalid([f"{name}:1: a link that leads out of the policy folder"])
    return target


def _text(path: Path) -> str:
    """A regular file as strict UTF-8. Raises OSError or ValueError with words for a person."""
    # Without O_NONBLOCK a pipe in the folder would hold up the reader for ever.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("not a regular file")
        raw = file.read(FILE_MAX + 1)
    if len(raw) > FILE_MAX:
        raise ValueError(f"larger than {FILE_MAX} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from error


def _git(folder: Path, *arguments: str) -> str:
    """What git answers, empty when it cannot. A hostile repository gets nothing to run."""
    settings = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *settings, *arguments],  # noqa: S607
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode(errors="replace").strip() if answer.returncode == 0 else ""
