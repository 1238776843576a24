"""The locks: complete, bound to bytes by hash, and silent about where the bytes come from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==[^ ]+ (?:; .+ )?\\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def locked(*names: str) -> set[str]:
    """The distributions that these locks pin."""
    lines = [
        line for name in names for line in (ROOT / "requirements" / name).read_text().splitlines()
    ]
    return {pin["name"] for line in lines if (pin := PIN.match(line))}


def declared(pyproject: Path) -> set[str]:
    """The distributions that a project asks for at run time, in their normal names."""
    asked = tomllib.loads(pyproject.read_text())["project"]["dependencies"]
    return {re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0].lower() for line in asked}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_holds_pins_and_hashes_and_nothing_else(lock: Path) -> None:
    """No index, no link, no host: where packages come from is the installer's own setting."""
    lines = [line for line in lock.read_text().splitlines() if line and not line.startswith("#")]

    assert lines
    assert [line for line in lines if not PIN.match(line) and not HASH.match(line)] == []
    assert "://" not in lock.read_text()


@pytest.mark.parametrize("project", ["pyproject.toml", "sdk_python/pyproject.toml"])
def test_everything_a_distribution_asks_for_is_locked(project: str) -> None:
    """S17: a dependency that is declared but not locked would come in without a hash."""
    assert declared(ROOT / project) - locked("runtime.txt") == set()


def test_an_editable_install_needs_nothing_outside_the_locks() -> None:
    """The build runs without isolation, so its back end must be locked too."""
    assert {"hatchling", "editables"} <= locked("build.txt")


def test_no_lock_of_another_tool_lies_beside_them() -> None:
    """uv.lock writes down the address of the registry it was made from."""
    assert not (ROOT / "uv.lock").exists()
