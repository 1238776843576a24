"""The wheels that users install, built here without network and tried outside the checkout."""

import os
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = "gateway/shipped_policies/"


def run(*command: str | Path, cwd: Path, **environ: str) -> str:
    """The standard output of a command that must succeed."""
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(project: Path, target: Path) -> Path:
    """Build one project's wheel with the locked hatchling."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target, cwd=project)
    (wheel,) = target.glob("*.whl")
    return wheel


def install(wheel: Path, target: Path) -> None:
    """Unpack a wheel and make its scripts, as pip does; its dependencies are those of the tests."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    run(*pip, "--target", target, wheel, cwd=target.parent)


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def gateway_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("gateway"))


@pytest.fixture(scope="module")
def sdk_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT / "sdk_python", tmp_path_factory.mktemp("sdk"))


def test_the_gateway_ships_every_policy_of_the_checkout(gateway_wheel: Path) -> None:
    """`checkrein up` without `--policies` copies them from the package."""
    here = {
        path.relative_to(ROOT / "policies").as_posix()
        for path in (ROOT / "policies").rglob("*")
        if path.is_file()
    }

    shipped = {
        name.removeprefix(SHIPPED) for name in names(gateway_wheel) if name.startswith(SHIPPED)
    }

    assert "policy.yaml" in shipped
    assert shipped == here


def test_the_gateway_ships_every_file_beside_its_code(gateway_wheel: Path) -> None:
    """Migrations, templates and the marker of typed packages are no Python, and still needed."""
    here = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "gateway").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert here - names(gateway_wheel) == set()
    assert "gateway/py.typed" in here


def test_the_gateway_brings_nothing_but_itself(gateway_wheel: Path) -> None:
    """Tests, benchmarks and the SDK stay out of the wheel."""
    folders = {name.split("/")[0] for name in names(gateway_wheel)}

    assert folders == {"gateway", "checkrein_gateway-0.1.0.dist-info"}


def test_the_installed_command_answers(gateway_wheel: Path, tmp_path: Path) -> None:
    """The command runs from the wheel's own files, away from the checkout."""
    site = tmp_path / "site"
    install(gateway_wheel, site)
    where = "import gateway; print(gateway.__file__)"

    imported = run(sys.executable, "-c", where, cwd=tmp_path, PYTHONPATH=str(site))
    answer = run(site / "bin" / "checkrein", "--help", cwd=tmp_path, PYTHONPATH=str(site))

    assert Path(imported.strip()).is_relative_to(site)
    assert "Usage" in answer


def test_the_sdk_asks_for_three_packages(sdk_wheel: Path) -> None:
    """An SDK lives inside other people's programs; each dependency is a conflict waiting."""
    with zipfile.ZipFile(sdk_wheel) as archive:
        metadata = archive.read("checkrein-0.1.0.dist-info/METADATA").decode()

    asked = HeaderParser().parsestr(metadata).get_all("Requires-Dist", [])

    assert asked == [
        "google-re2",
        "httpx2>=2.16",
        "msgspec>=0.22",
        "checkrein-gateway; extra == 'gateway'",
    ]


def test_the_sdk_ships_its_types_and_nothing_else(sdk_wheel: Path) -> None:
    """A type checker in the user's project sees the SDK's annotations."""
    folders = {name.split("/")[0] for name in names(sdk_wheel)}

    assert "checkrein/py.typed" in names(sdk_wheel)
    assert folders == {"checkrein", "checkrein-0.1.0.dist-info"}
