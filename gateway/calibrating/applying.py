"""A proposal put into a policy folder, and taken back.

The folder is a threshold's only home: a change of its policy.yaml is a new version, which the
gateway takes up like any other, and which every decision names. What the file was before is kept
beside it, so that one step back gives the very version of before.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.errors import PolicyInvalid
from gateway.policies import golden, load, project_block, source
from gateway.policies.source import MANIFEST

# No part of a version, since its name is hidden: a policy folder does not count such files.
HISTORY: Final = ".intent-history.jsonl"
STEPS_MAX: Final = 50


class Step(Struct, frozen=True):
    """One change of a project's block: the file before it, and the file's digest after it."""

    at: str
    environment: str
    project_id: str
    before: str
    after_digest: str
    block: dict[str, Any] | None


class Changed(Struct, frozen=True):
    """What a change did: the versions before and after it, by their digests, and the block."""

    environment: str
    project_id: str
    digest_before: str
    digest: str
    block: dict[str, Any] | None


def apply(
    folder: Path, environment: str, project_id: str, block: dict[str, Any], *, at: str
) -> Changed:
    """Write the block. Raises PolicyInvalid where the policy would be wrong then, and leaves it."""
    read = source.read(folder)
    text = read.files[MANIFEST]
    changed = project_block.with_block(text, environment, project_id, block)
    files = _checked(read.files, changed)
    before = project_block.block_of(text, environment, project_id)
    steps = [*_steps(folder), Step(at, environment, project_id, text, source.digest(files), before)]
    _write(folder / HISTORY, b"".join(msgspec.json.encode(s) + b"\n" for s in steps[-STEPS_MAX:]))
    _replace(folder, text, changed)
    return Changed(environment, project_id, read.digest, source.digest(files), block)


def rollback(folder: Path) -> Changed:
    """Take the last change back. Raises PolicyInvalid when there is none.

    Where nothing else was changed since, the file becomes what it was, to the byte; otherwise only
    the project's block does.
    """
    steps = _steps(folder)
    if not steps:
        raise PolicyInvalid([f"{MANIFEST}:1: no change of the intent thresholds is left to undo"])
    last, read = steps[-1], source.read(folder)
    text = read.files[MANIFEST]
    changed = last.before
    if read.digest != last.after_digest:
        changed = project_block.with_block(
            text, last.environment, last.project_id, last.block or {}
        )
    files = _checked(read.files, changed)
    _replace(folder, text, changed)
    _write(folder / HISTORY, b"".join(msgspec.json.encode(step) + b"\n" for step in steps[:-1]))
    block = project_block.block_of(changed, last.environment, last.project_id)
    return Changed(last.environment, last.project_id, read.digest, source.digest(files), block)


def _checked(files: dict[str, str], changed: str) -> dict[str, str]:
    """The folder's files with the changed one, as far as `policy check` finds nothing wrong."""
    changed_files = {**files, MANIFEST: changed}
    _, case_findings = golden.read(changed_files)
    errors = [*load.examine(changed_files, None).errors, *case_findings]
    if errors:
        raise PolicyInvalid(errors)
    return changed_files


def _steps(folder: Path) -> list[Step]:
    path = folder / HISTORY
    try:
        lines = path.read_bytes().splitlines() if path.is_file() else []
        return [msgspec.json.decode(line, type=Step) for line in lines]
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PolicyInvalid([f"{HISTORY}:1: cannot be read: {error}"]) from error


def _replace(folder: Path, before: str, changed: str) -> None:
    """The file at once, unless somebody has changed it meanwhile."""
    path = folder / MANIFEST
    if path.read_bytes() != before.encode():
        raise PolicyInvalid([f"{MANIFEST}:1: the file was changed meanwhile; try again"])
    _write(path, changed.encode())


def _write(path: Path, data: bytes) -> None:
    # A link stays a link, and what it leads to is replaced.
    path = path.resolve()
    draft = path.with_name(f".{path.name}.new")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    except OSError as error:
        raise PolicyInvalid([f"{path.name}:1: cannot be written: {error}"]) from error
