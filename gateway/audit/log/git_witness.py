"""A Git repository as a witness: every checkpoint is a commit, for others to pull.

What counts is what was ever committed: a checkpoint whose file was removed later is still one that
was seen.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from gateway.audit.log import checkpoint, file_witness
from gateway.audit.log.checkpoint import Checkpoint, NoteBroken
from gateway.audit.signing.ed25519 import PublicKeys
from gateway.errors import CheckreinError

SECONDS = 30
# Whoever runs this may have no name for commits.
AUTHOR = ("-c", "user.name=Checkrein", "-c", "user.email=checkrein@localhost")


class WitnessAway(CheckreinError):
    """The witness could not be reached, or did not take the checkpoint."""


def seen(folder: Path, origin: str, keys: PublicKeys) -> list[Checkpoint]:
    """Every checkpoint that was ever committed. Raises NoteBroken, WitnessAway."""
    found = []
    for commit, name in _committed(folder):
        note = _git(folder, "show", f"{commit}:./{name}")
        try:
            found.append(checkpoint.read(note, origin, keys))
        except NoteBroken as error:
            raise NoteBroken(f"{name} in commit {commit[:12]}: {error}") from error
    return found


def newest(folder: Path, origin: str, keys: PublicKeys) -> Checkpoint | None:
    """The largest checkpoint that was ever committed, which must still be there; None where there
    was none. Raises NoteBroken, WitnessAway."""
    if not folder.is_dir():
        return None
    there = file_witness.newest(folder, origin, keys)
    committed = max((name for _, name in _committed(folder)), default=None)
    if committed is not None and not (folder / committed).is_file():
        raise NoteBroken(f"{committed} was committed, and is gone")
    return there


def push(folder: Path, note: bytes, size: int) -> str:
    """Commit a checkpoint, unless one of the same size is there; the commit. Raises WitnessAway."""
    path = file_witness.push(folder, note, size)
    _git(folder, "add", "--", path.name)
    if _git(folder, "status", "--porcelain", "--", path.name):
        _git(folder, *AUTHOR, "commit", "-q", "-m", f"Checkpoint {size}", "--", path.name)
    return _git(folder, "rev-parse", "HEAD").decode().strip()


def _committed(folder: Path) -> list[tuple[str, str]]:
    """(commit, file) of every writing of a checkpoint, those that changed one among them."""
    wanted = ("--format=commit %H", "--diff-filter=AM", "--name-only", "--relative", "--no-renames")
    try:
        told = _git(folder, "log", "-m", *wanted, "--", file_witness.PATTERN)
    except WitnessAway:
        if _git(folder, "rev-list", "-n", "1", "--all"):
            raise
        return []  # No commit yet.
    found = []
    commit = ""
    for line in told.decode(errors="replace").splitlines():
        if line.startswith("commit "):
            commit = line.removeprefix("commit ")
        elif line:
            found.append((commit, line))
    return found


def _git(folder: Path, *words: str) -> bytes:
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=SECONDS)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()[:200]
        raise WitnessAway(f"git {words[0]} in {folder}: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WitnessAway(f"git in {folder}: {error}") from error
    return done.stdout
