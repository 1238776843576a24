"""A program run in a simulation: `python -m checkrein.simulating OPTIONS -- PROGRAM`.

What `checkrein simulate` starts. PROGRAM is what follows `python`: a script, `-m` and a module, or
`-c` and code, with its arguments. The report is written when the program ends, however it ends; the
exit code is the program's own.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec

from checkrein.simulating.errors import RecordingUnreadable
from checkrein.simulating.simulation import Simulation

UNREADABLE = 2
PATIENCE_SECONDS = 0.5


def main(arguments: list[str]) -> int:
    """The exit code of the program; 2 when there is no recording."""
    options, program = _parsed(arguments)
    live = list(options.live)
    clock = int(options.clock) if (options.clock or "").isdecimal() else options.clock
    simulation = Simulation(options.recording, live, clock, options.seed, {}, PATIENCE_SECONDS)
    try:
        with simulation:
            code = _run(program)
    except RecordingUnreadable as error:
        sys.stderr.write(f"{error}\n")
        return UNREADABLE
    report = simulation.report
    written = {"report": msgspec.json.decode(report.to_json()), "table": report.table()}
    Path(options.report).write_bytes(msgspec.json.encode(written))
    return code


def _parsed(arguments: list[str]) -> tuple[Any, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m checkrein.simulating", description=__doc__)
    parser.add_argument("--recording", required=True, type=Path, help="a cassette file")
    parser.add_argument("--report", required=True, type=Path, help="where the report is written")
    parser.add_argument("--live", action="append", default=[], help="a tool whose body runs")
    parser.add_argument("--clock", help="recorded, or nanoseconds since 1970")
    parser.add_argument("--seed", type=int, help="for random and uuid4")
    at = arguments.index("--") if "--" in arguments else len(arguments)
    options, program = parser.parse_args(arguments[:at]), arguments[at + 1 :]
    if not program or (program[0] in ("-m", "-c") and len(program) == 1):
        parser.error("there is no program behind --")
    return options, program


def _run(program: list[str]) -> int:
    try:
        _played(program)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException:  # noqa: BLE001 - whatever ends a program is shown, and its report made
        traceback.print_exc()
        return 1
    return 0


def _played(program: list[str]) -> None:
    """As Python itself would run it."""
    first, rest = program[0], program[1:]
    if first == "-m":
        sys.argv = rest
        sys.path[0] = str(Path.cwd())
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path[0] = ""
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - the user's
    else:
        sys.argv = program
        sys.path[0] = os.path.realpath(Path(first).parent)
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
