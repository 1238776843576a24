"""Every test, folder by folder, in two lanes at the same time.

python -m tests.lanes [OPTIONS OF PYTEST]

One lane takes the folders that kill and starve servers, one after the other. Beside it, with a
lower priority, the other one takes those that compute, or ask servers that nobody harms, on the
core that servers leave idle while they wait for each other and for the disk. Whoever is out of work
takes calm folders from the other end. What a folder said is shown when it has ended, what failed
once more at the end. The exit code is 0 only when every folder is well.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What times itself against servers, or takes them away; the longest first.
HARSH = (
    *("reliability", "reliability_server", "many", "simulation", "storage_server"),
    *("engine_opa", "engine"),
)
SDK = ROOT / "sdk_python" / "tests"
NICENESS = 5
# All passed, or a folder has no test that the options ask for.
WELL = (0, 5)
_COUNTED = re.compile(r"(\d+) (failed|passed|skipped|xfailed|xpassed|errors?|warnings?)\b")
_FAILED = re.compile(r"^(?:FAILED|ERROR) .*$", re.MULTILINE)


class Lane:
    """One folder at a time; what it said is kept until it has ended."""

    def __init__(self, said: Path, niceness: int, options: list[str]) -> None:
        self._said = said
        self._niceness = niceness
        self._options = options
        self._running: subprocess.Popen[bytes] | None = None
        self.folder: Path | None = None

    def start(self, folder: Path) -> None:
        self.folder = folder
        cache = f"cache_dir={ROOT / '.pytest_cache' / folder.name}"
        with self._said.open("w") as said:
            self._running = subprocess.Popen(
                (sys.executable, "-m", "pytest", str(folder), *self._options, "-o", cache),
                stdout=said,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: os.nice(self._niceness),  # noqa: PLW1509 - there are no threads
            )

    def ended(self) -> tuple[int, str] | None:
        """The exit code and what was said of the folder that ran, once."""
        if self._running is None or (code := self._running.poll()) is None:
            return None
        self._running = self.folder = None
        return code, self._said.read_text(errors="replace")

    def kill(self) -> None:
        if self._running is not None and self._running.poll() is None:
            self._running.kill()
            self._running.wait()


def main() -> int:
    """Run all folders; the worst exit code of any."""
    began = time.monotonic()
    harsh, calm = _folders()
    counts: Counter[str] = Counter()
    failures: list[str] = []
    worst = 0
    with tempfile.TemporaryDirectory() as kept:
        first, beside = lanes = (
            Lane(Path(kept) / "first", 0, sys.argv[1:]),
            Lane(Path(kept) / "beside", NICENESS, sys.argv[1:]),
        )
        try:
            while True:
                if first.folder is None and (harsh or calm):
                    first.start(harsh.popleft() if harsh else calm.pop())
                if beside.folder is None and calm:
                    beside.start(calm.popleft())
                if all(lane.folder is None for lane in lanes):
                    break
                for lane in lanes:
                    folder = lane.folder
                    if (end := lane.ended()) is None:
                        continue
                    code, told = end
                    counts += _counted(told)
                    if code not in WELL:
                        worst = max(worst, abs(code))
                        failures += _FAILED.findall(told) or [f"FAILED {folder}: exit code {code}"]
                    _say(f"{told}\n")
                time.sleep(0.2)
        finally:
            for lane in lanes:
                lane.kill()
    _say("".join(f"{each}\n" for each in failures))
    summary = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    _say(f"==== all folders: {summary} in {time.monotonic() - began:.0f} s ====\n")
    return worst


def _folders() -> tuple[deque[Path], deque[Path]]:
    """The harsh ones in their order, and the calm ones, those with most tests first."""
    tests = ROOT / "tests"
    harsh = [tests / name for name in HARSH]
    found = {path.parent for path in tests.glob("*/test_*.py")} | {SDK}
    calm = sorted(found - set(harsh), key=lambda each: (-_size(each), each))
    return deque(harsh), deque(calm)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("test_*.py"))


def _counted(text: str) -> Counter[str]:
    """The counts of the last line that pytest wrote."""
    last = text.rstrip().rpartition("\n")[2]
    return Counter({word: int(count) for count, word in _COUNTED.findall(last)})


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
