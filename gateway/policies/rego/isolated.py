"""How to start a Python that knows nothing of this one: no environment, no site-packages."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

# What a child sees of the environment. Backtraces cost milliseconds and tell nothing.
ENVIRONMENT = {"RUST_BACKTRACE": "0", "LC_ALL": "C.UTF-8"}


def command(
    script: Path, modules: tuple[str, ...], *arguments: str, folders: tuple[str, ...] = ()
) -> list[str]:
    """The command line for `script`; its first argument is where `modules` can be imported from,
    and what lies in `folders`."""
    places = os.pathsep.join(dict.fromkeys((*map(_folder, modules), *folders)))
    options = ["-I", "-S", "-B", "-X", "utf8"]
    return [sys.executable, *options, str(script), places, *arguments]


def _folder(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{module} is not installed", name=module)
    return str(Path(spec.origin).parent.parent)
