"""`checkrein simulate`: a program of the user's against what was recorded. Nothing is called."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import rich_click as click

from gateway.cli import client, folder
from gateway.cli.answering import answering, data_option
from gateway.cli.failures import ABSENT, FOUND, USAGE, Failure
from gateway.cli.record import mention, record
from gateway.cli.screen import Screen
from gateway.cli.settings import chosen

SUFFIX = ".json"
_EXAMPLE = "checkrein simulate RUN -- python agent.py"


@click.command()
@click.argument("run", metavar="RUN_OR_CASSETTE")
@click.argument("command", metavar="[-- python agent.py ...]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--save",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the recording as a cassette, to be simulated offline and in tests.",
)
@click.option("--live", metavar="TOOL", multiple=True, help="A pure tool: it runs, to be compared.")
@click.option("--clock", metavar="TIME", help="What time it is: recorded, or nanoseconds.")
@click.option("--seed", type=int, help="For random and uuid4.")
@click.option(
    "--times",
    metavar="N",
    type=click.IntRange(2, 50),
    help="Run it N times, and score how deterministic it is.",
)
@data_option
@answering
def simulate(
    screen: Screen,
    run: str,
    command: tuple[str, ...],
    save: Path | None,
    live: tuple[str, ...],
    clock: str | None,
    seed: int | None,
    times: int | None,
    data: str | None,
) -> int:
    """Run a program against a recorded run: its tools are answered from the record.

    No tool runs and no call leaves. The table tells what was called otherwise, the first divergence
    marked. RUN_OR_CASSETTE is a run's id or name, or a file that --save wrote. Exits with 0 only
    when everything was as recorded, and the program ended well.

    Example: checkrein simulate first-run -- python agent.py
    """
    if not command and save is None:
        raise Failure("There is no program to simulate.", _EXAMPLE, USAGE)
    if clock is not None and clock != "recorded" and not clock.isdecimal():
        raise Failure(f"{clock!r} is no time.", "--clock recorded", USAGE)
    cassette = _cassette(screen, run, data)
    if save is not None:
        _write(save, cassette)
        screen.progress(f"{save}: {len(cassette):,} bytes")
    if not command:
        if screen.json:
            screen.answer({"saved": str(save), "bytes": len(cassette)})
        return 0
    pinned = [f"--live={tool}" for tool in live]
    pinned += [f"--clock={clock}"] if clock else []
    pinned += [f"--seed={seed}"] if seed is not None else []
    if times is not None:
        return _score(screen, cassette, pinned, command, times)
    code, played = _play(screen, cassette, pinned, command)
    report = played["report"]
    if screen.json:
        screen.answer({**report, "exit_code": code})
    else:
        screen.say()
        screen.say(played["table"])
        if code:
            screen.say(f"the program ended with exit code {code}")
    return 0 if report["ok"] and code == 0 else FOUND


def _score(
    screen: Screen, cassette: bytes, pinned: list[str], command: tuple[str, ...], times: int
) -> int:
    """Several simulations beside each other."""
    import msgspec

    from gateway.cli.determinism import show
    from gateway.replay.determinism.simulated import Simulated, effects_of, from_simulations

    reports = []
    for number in range(1, times + 1):
        with screen.working(f"Simulating {number} of {times}"):
            reports.append(_play(screen, cassette, pinned, command, quiet=True)[1]["report"])
    seen = [msgspec.convert(each, Simulated) for each in reports]
    found = from_simulations(seen, effects_of(cassette))
    if screen.json:
        rates = [each["match_rate"] for each in reports]
        screen.answer({**msgspec.to_builtins(found), "match_rates": rates})
    else:
        show(screen, found)
    return FOUND if found.issues else 0


def _cassette(screen: Screen, run: str, data: str | None) -> bytes:
    if run.endswith(SUFFIX) or Path(run).is_file():
        try:
            return Path(run).read_bytes()
        except OSError as error:
            text = f"{run} cannot be read: {error.strerror or error}."
            raise Failure(text, "checkrein simulate RUN --save FILE", USAGE) from error
    source = record(data)
    mention(screen, source)
    run_id: str = source.run(run)["run_id"]
    if data is None and os.environ.get("CHECKREIN_API_KEY"):
        return _from_gateway(run_id)
    return _from_stores(run_id, data)


def _from_gateway(run_id: str) -> bytes:
    import msgspec

    path = f"/v1/runs/{client.segment(run_id)}/recording"
    answer = client.from_environment(60).get(path)
    return msgspec.json.Encoder(order="sorted").encode(answer) + b"\n"


def _from_stores(run_id: str, data: str | None) -> bytes:
    import asyncio

    from gateway.replay.recording.reading import recorded
    from gateway.replay.recording.recorded import cassette

    async def read() -> bytes:
        async with folder.record(chosen(data)) as stores:
            project_id = await stores.control.project(folder.PROJECT)
            row = await stores.ledger.run(project_id, run_id)
            if row is None:
                raise Failure(f"There is no run {run_id}.", "checkrein runs list", ABSENT)
            secret = stores.keyring.run_secret
            return cassette(await recorded(stores.ledger, secret, project_id, row))

    return asyncio.run(read())


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        text = f"{path} cannot be written: {error.strerror or error}."
        raise Failure(text, "name another with --save", FOUND) from error


def _play(
    screen: Screen,
    cassette: bytes,
    pinned: list[str],
    command: tuple[str, ...],
    *,
    quiet: bool = False,
) -> tuple[int, dict[str, Any]]:
    """The program's exit code, and what its simulation reported."""
    import msgspec

    python, program = _program(command)
    with tempfile.TemporaryDirectory(prefix="checkrein-") as scratch:
        recording, report = Path(scratch, "cassette.json"), Path(scratch, "report.json")
        recording.write_bytes(cassette)
        options = [f"--recording={recording}", f"--report={report}", *pinned]
        try:
            done = subprocess.run(
                [*python, "-m", "checkrein.simulating", *options, "--", *program],
                # With --json, standard output is the answer's.
                stdout=subprocess.DEVNULL if quiet else sys.stderr if screen.json else None,
                check=False,
            )
        except OSError as error:
            text = f"{python[0]} cannot be started: {error.strerror or error}."
            raise Failure(text, _EXAMPLE, USAGE) from error
        if not report.is_file():
            text = f"The program ended with exit code {done.returncode}, without a report."
            raise Failure(text, "see what it wrote above; is checkrein installed beside it?", FOUND)
        played: dict[str, Any] = msgspec.json.decode(report.read_bytes())
    return done.returncode, played


def _program(command: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The interpreter with its own options, and what it is to run."""
    if command[0].endswith(".py"):
        return [sys.executable], list(command)
    if not Path(command[0]).name.startswith("python"):
        text = "A simulation needs a Python program: what is behind -- begins with python."
        raise Failure(text, _EXAMPLE, USAGE)
    at = 1
    while at < len(command) and command[at].startswith("-") and command[at] not in ("-m", "-c"):
        at += 2 if command[at] in ("-X", "-W") else 1
    return list(command[:at]), list(command[at:])
