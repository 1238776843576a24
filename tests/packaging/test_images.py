"""Dockerfile and compose.yaml: linted, and of one mind with the code. Nothing is built here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def complaints(program: str, *arguments: str) -> str:
    """What a linter says of a file of the project; a linter that fails says something."""
    command = [str(BIN / program), *arguments]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    said = done.stdout + done.stderr
    return said if done.returncode == 0 else said or f"{program} failed"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def test_the_dockerfile_passes_its_linter():
    assert complaints("hadolint", "Dockerfile") == ""


def test_compose_follows_its_schema():
    schema = ("--builtin-schema", "vendor.compose-spec")

    assert complaints("check-jsonschema", *schema, "--quiet", "compose.yaml") == ""


def test_every_variable_in_compose_is_a_setting(compose):
    named = {
        name
        for service in compose["services"].values()
        for name in service.get("environment", {})
        if name.startswith(PREFIX)
    }

    assert named
    assert {name.removeprefix(PREFIX).lower() for name in named} <= {*Settings.__struct_fields__}


def test_redis_in_compose_keeps_what_it_acknowledges(compose):
    command = compose["services"]["redis"]["command"]
    given = dict(zip(command[1::2], command[2::2], strict=True))

    assert given["--appendonly"] == "yes"
    assert given["--appendfsync"] == "always"
    assert given["--maxmemory-policy"] == "noeviction"


def test_nothing_in_compose_listens_to_the_world(compose):
    published = [
        port for service in compose["services"].values() for port in service.get("ports", [])
    ]

    assert published
    assert all(str(port).startswith("127.0.0.1:") for port in published)


def test_what_the_image_copies_exists_and_is_let_into_its_context():
    let_in = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        word.split("/")[0]
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }

    assert copied
    assert all((ROOT / name).exists() for name in copied)
    assert copied <= let_in
