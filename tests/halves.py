"""Every test, in two halves at the same time: what kills and starves servers, and all the rest.

python -m tests.halves [OPTIONS OF PYTEST]

The calm half runs with a lower priority beside the other one, on the core that servers leave idle
while they wait for each other and for the disk. Its output is shown when both have ended. The exit
code is 0 only when both halves are well.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
# Folders whose tests compute, or ask servers that nobody harms, and have time to wait.
CALM = (
    *("tests/calibrating", "tests/cli", "tests/clients", "tests/compare", "tests/determinism"),
    *("tests/docs", "tests/gate", "tests/intent", "tests/ledger", "tests/lineage"),
    *("tests/policies", "tests/reexecute", "tests/replay", "tests/unit"),
    "sdk_python/tests",
)
NICENESS = 5
_COUNTED = re.compile(r"(\d+) (failed|passed|skipped|xfailed|xpassed|errors?|warnings?)\b")


def main() -> int:
    """Run both; the worse exit code of the two."""
    options = sys.argv[1:]
    folders = [str(ROOT / name) for name in CALM]
    cache = f"cache_dir={ROOT / '.pytest_cache' / 'calm'}"
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as calm_said, tempfile.TemporaryFile("w+") as other_said:
        calm = _started(calm_said, NICENESS, *folders, *options, "-o", cache)
        # What is named is never ignored, so only the folder above is.
        rest = (str(ROOT / "tests"), *(f"--ignore={name}" for name in folders))
        other = _started(other_said, 0, *rest, *options)
        try:
            _follow(other, other_said)
            worse = max(other.wait(), calm.wait())
        finally:
            for half in (calm, other):
                if half.poll() is None:
                    half.kill()
                    half.wait()
        calm_said.seek(0)
        told = calm_said.read()
        other_said.seek(0)
        counts = _counted(told) + _counted(other_said.read())
    _say(f"\nThe calm half, beside it:\n{told}")
    summary = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    _say(f"==== both halves: {summary} in {time.monotonic() - began:.2f}s ====\n")
    return worse


def _started(said: IO[str], niceness: int, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (sys.executable, "-m", "pytest", *words),
        stdout=said,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: os.nice(niceness),  # noqa: PLW1509 - no threads have been started
    )


def _follow(half: subprocess.Popen[bytes], said: IO[str]) -> None:
    """Show what it writes, as it comes."""
    with Path(f"/proc/self/fd/{said.fileno()}").open() as reading:
        while True:
            ended = half.poll() is not None
            if news := reading.read():
                _say(news)
            if ended:
                return
            time.sleep(0.5)


def _counted(text: str) -> Counter[str]:
    """The counts of the last line that pytest wrote."""
    last = text.rstrip().rpartition("\n")[2]
    return Counter({word: int(count) for count, word in _COUNTED.findall(last)})


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
