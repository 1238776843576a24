"""The stations of the tour: what is done with a run, by which command, and what must come of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from gateway.cli.demo import EXAMPLES

SECONDS = 120
# The event of the export that is touched: the first one after the run's start.
TOUCHED = 2
ALIKE = {"exact", "redacted-equivalent"}


class Visit(Struct, frozen=True):
    """A bad run and a good one of the same agent, a folder for what is written, the gateway's data
    folder, and the variables that commands are started with."""

    story: str
    run: str
    good: str
    folder: Path
    data: Path
    environ: dict[str, str]

    def ask(self, *arguments: str) -> Answer:
        """Run `checkrein` with these words."""
        done = subprocess.run(
            (sys.executable, "-m", "gateway.cli", *arguments),
            env={**self.environ, "COLUMNS": "120"},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Answer(f"checkrein {' '.join(arguments)}", done.returncode, done.stdout, done.stderr)


class Answer(Struct, frozen=True):
    """How a command ended."""

    command: str
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.out)
        except ValueError:
            found = None
        return found if isinstance(found, dict) else {}


class Found(Struct, frozen=True):
    """What a station tells in a line, what the command printed, and what was wrong, if anything."""

    command: str
    told: str
    printed: str
    wrong: str | None


Station = Callable[[Visit, bool], Found]


def view(visit: Visit, whole: bool) -> Found:
    """Frame by frame."""
    answer, printed = _both(visit, whole, "replay", visit.run)
    frames = answer.json.get("frames", [])
    seqs = [frame["seq"] for frame in frames]
    right = bool(seqs) and seqs == list(range(1, len(seqs) + 1))
    return _found(answer, printed, f"{len(seqs)} frames, none missing", right)


def rejudge(visit: Visit, whole: bool) -> Found:
    """The same frames, the same policy, the same bytes."""
    answer, printed = _both(visit, whole, "rejudge", visit.run)
    counts = answer.json.get("counts", {})
    told = ", ".join(f"{count} {standing}" for standing, count in sorted(counts.items()))
    return _found(answer, printed, told or "nothing", bool(counts) and set(counts) <= ALIKE)


def simulate(visit: Visit, whole: bool) -> Found:
    """The agent's own code again; no tool runs and nothing connects."""
    program = _program(visit)
    answer, printed = _both(visit, whole, "simulate", visit.run, program=program)
    told = answer.json
    matched = f"match rate {told.get('match_rate')}, {len(told.get('divergences', ()))} divergences"
    return _found(answer, printed, matched, told.get("ok") is True)


def mended(visit: Visit, whole: bool) -> Found:
    """The mended agent against the same record: what it does otherwise is told."""
    program = (*_program(visit), "--right")
    answer, printed = _both(visit, whole, "simulate", visit.run, program=program)
    divergences = answer.json.get("divergences", [])
    first = divergences[0] if divergences else {}
    told = f"{first.get('kind', 'no')} diverges first, of {len(divergences)}"
    return _found(answer, printed, told, bool(divergences), codes=(1,))


def explain(visit: Visit, whole: bool) -> Found:
    """Where what was called came from."""
    answer, printed = _both(visit, whole, "explain", visit.run)
    findings = answer.json.get("findings", [])
    causes = [f"{each.get('pointer', '')} {each.get('cause', '')}" for each in findings]
    return _found(answer, printed, "; ".join(causes) or "no argument departs", bool(answer.json))


def compare(visit: Visit, whole: bool) -> Found:
    """Beside a good run of the same agent and task."""
    answer, printed = _both(visit, whole, "compare", visit.run, visit.good)
    first, calls = answer.json.get("first"), answer.json.get("calls", [])
    call = {} if first is None else calls[first]
    told = f"it parts from the good run at frame {call.get('run_seq')}, {call.get('tool')}"
    return _found(answer, printed, told, first is not None)


def export(visit: Visit, whole: bool) -> Found:
    """Files that anybody can check."""
    del whole
    place = visit.folder / visit.story
    answer = visit.ask("export", visit.run, "--out", place.name, "--json")
    names = answer.json.get("files", [])
    told = f"{len(names)} files, signed" if answer.json.get("signed") else "not signed"
    files = [name for name in names if not name.startswith("blobs/")]
    printed = "\n".join([*files, f"blobs/ ({len(names) - len(files)} files)"])
    return _found(answer, printed, told, answer.json.get("signed") is True)


def verify(visit: Visit, whole: bool) -> Found:
    """Offline, with the public key alone."""
    answer, printed = _both(visit, whole, *_verifying(visit))
    told = answer.json
    return _found(answer, printed, f"{told.get('events')} events untouched", told.get("ok") is True)


def tamper(visit: Visit, whole: bool) -> Found:
    """One byte of one event is changed, and that event is named."""
    events = visit.folder / visit.story / "REPLAY.jsonl"
    lines = events.read_bytes().split(b"\n")
    line = lines[TOUCHED - 1]
    # The last digit of a hash becomes another one.
    at = line.rindex(b'"') - 1
    lines[TOUCHED - 1] = line[:at] + (b"0" if line[at : at + 1] != b"0" else b"1") + line[at + 1 :]
    events.write_bytes(b"\n".join(lines))
    answer, printed = _both(visit, whole, *_verifying(visit))
    seqs = [each["seq"] for each in answer.json.get("findings", []) if each["seq"] is not None]
    named = bool(seqs) and min(seqs) == TOUCHED
    told = f"event {TOUCHED} was touched: {'named' if named else 'not named'}"
    return _found(answer, printed, told, named, codes=(1,))


def make_key(data: Path) -> None:
    """A signing key, as `checkrein audit keys create` makes it."""
    command = (sys.executable, "-m", "gateway.cli", "audit", "keys", "create", "--data", str(data))
    subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)


STATIONS: Mapping[str, Station] = {
    "view": view,
    "re-judge": rejudge,
    "simulate": simulate,
    "mend": mended,
    "explain": explain,
    "compare": compare,
    "export": export,
    "verify": verify,
    "tamper": tamper,
}


def _verifying(visit: Visit) -> tuple[str, ...]:
    public = visit.folder / "public.pem"
    if not public.exists():
        keys = visit.ask("audit", "keys", "list", "--pem", "--data", str(visit.data))
        public.write_text(keys.out)
    return ("audit", "verify", visit.story, "--public-key", public.name)


def _program(visit: Visit) -> tuple[str, ...]:
    return ("--", sys.executable, str(EXAMPLES / f"{visit.story}.py"))


def _both(
    visit: Visit, whole: bool, *arguments: str, program: tuple[str, ...] = ()
) -> tuple[Answer, str]:
    """The answer as JSON, and where it is to be shown whole, what the command prints."""
    answer = visit.ask(*arguments, "--json", *program)
    return answer, visit.ask(*arguments, *program).out if whole else ""


def _found(
    answer: Answer, printed: str, told: str, right: bool, codes: tuple[int, ...] = (0,)
) -> Found:
    wrong = None
    if answer.code not in codes:
        last = (answer.err.strip() or answer.out.strip()).splitlines()[-2:]
        wrong = f"exit code {answer.code}: {' '.join(last)[:300]}"
    elif not right:
        wrong = f"not as it should be: {told}"
    return Found(_as_typed(answer.command), told, printed, wrong)


def _as_typed(command: str) -> str:
    """As a user would type it, in the source's folder."""
    shorter = command.replace(" --json", "").replace(sys.executable, "python")
    return shorter.replace(f"{EXAMPLES.parents[1]}/", "")
