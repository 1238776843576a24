"""What the figures were measured on, and telling what is being measured."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    text = Path("/proc/cpuinfo").read_text()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "day": time.strftime("%d %B %Y").lstrip("0"),
    }


def load() -> float:
    """How many processes wanted to run, on average over the last minute."""
    return os.getloadavg()[0]


def say(text: str) -> None:
    """A line for whoever waits."""
    print(f"  measuring: {text}", file=sys.stderr, flush=True)
