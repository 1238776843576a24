"""The first thing `make` does: find an interpreter, or say which apt line brings one."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "requirements" / "find-python"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine's only folder of commands; the tests decide which Python is on it."""
    for tool in ("sed", "head"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    return tmp_path


def has(machine: Path, name: str, *, new: bool, venv: bool) -> None:
    """Put an interpreter there that answers the script's two questions this way."""
    command = machine / name
    command.write_text(
        "#!/bin/sh\n"
        f'case "$2" in *version_info*) exit {0 if new else 1};; *) exit {0 if venv else 1};; esac\n'
    )
    command.chmod(0o755)


def packages(machine: Path, python: str) -> None:
    """Let the machine's package index offer this Python as its own."""
    command = machine / "apt-cache"
    command.write_text(f"#!/bin/sh\necho 'Package: python3'\necho 'Version: {python}-1'\n")
    command.chmod(0o755)


def find(machine: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", SCRIPT], env={"PATH": str(machine)}, capture_output=True, text=True, check=False
    )


def test_the_usual_python_is_taken_when_it_is_new_enough(machine: Path) -> None:
    has(machine, "python3", new=True, venv=True)
    has(machine, "python3.13", new=True, venv=True)

    found = find(machine)

    assert (found.returncode, found.stdout) == (0, f"{machine}/python3\n")


def test_an_old_one_is_passed_over_for_the_newest_beside_it(machine: Path) -> None:
    has(machine, "python3", new=False, venv=True)
    has(machine, "python3.11", new=True, venv=True)
    has(machine, "python3.12", new=True, venv=True)

    found = find(machine)

    assert (found.returncode, found.stdout) == (0, f"{machine}/python3.12\n")


@pytest.mark.parametrize("name", ["python3", "python3.12"])
def test_without_the_venv_module_its_own_package_is_named(machine: Path, name: str) -> None:
    has(machine, name, new=True, venv=False)

    found = find(machine)

    assert (found.returncode, found.stdout) == (1, "")
    assert f"    sudo apt-get install -y {name}-venv\n" in found.stderr


def test_without_any_python_the_packages_are_named(machine: Path) -> None:
    packages(machine, "3.13.5")

    found = find(machine)

    assert found.returncode == 1
    assert "    sudo apt-get install -y python3 python3-venv\n" in found.stderr


def test_where_python3_is_too_old_the_versioned_packages_are_named(machine: Path) -> None:
    """Ubuntu 22.04's python3 is 3.10; its 3.11 has a name of its own."""
    has(machine, "python3", new=False, venv=True)
    packages(machine, "3.10.6")

    found = find(machine)

    assert found.returncode == 1
    assert "    sudo apt-get install -y python3.11 python3.11-venv\n" in found.stderr
