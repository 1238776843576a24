"""The command `checkrein`. The gateway brings the real one and announces it as an entry point; with
the SDK alone the command says how to get it."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

MISSING = """\
The command `checkrein` is part of the gateway, which is not installed here. Install it with

    pip install "checkrein[gateway]"
"""


def main() -> int:
    """Run the gateway's command line; 2 when there is none."""
    for entry in entry_points(group="checkrein.command"):
        return int(entry.load()() or 0)
    sys.stderr.write(MISSING)
    return 2
