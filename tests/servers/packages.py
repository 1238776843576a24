"""Servers of the distribution, installed where they are missing and this may be done.

Their daemons stay stopped: tests start servers of their own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

INSTALL = "apt-get install --yes --no-install-recommends"
POLICY = Path("/usr/sbin/policy-rc.d")
SECONDS = 600


def install(package: str) -> None:
    """Install a package. Raises RuntimeError with the command, or with what went wrong."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise RuntimeError(f"This test needs {package}: run  sudo {INSTALL} {package}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with _stopped():
        for command in ("apt-get update", f"{INSTALL} {package}"):
            done = subprocess.run(
                command.split(),
                env=quiet,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
    if done.returncode != 0:
        raise RuntimeError(f"{command} failed:\n{done.stderr}")


@contextlib.contextmanager
def _stopped() -> Iterator[None]:
    """Let no package start its daemon, unless the machine has a policy of its own."""
    own = not POLICY.exists()
    if own:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if own:
            POLICY.unlink()
