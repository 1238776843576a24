"""`checkrein replay`: step through what was recorded of a run. Nothing is run, called or judged."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.failures import USAGE, Failure
from gateway.cli.frame_text import heading, sections
from gateway.cli.record import mention, record
from gateway.cli.screen import Screen


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--step", is_flag=True, help="One frame at a time: j next, k back, q quit.")
@data_option
@answering
def replay(screen: Screen, run: str, step: bool, data: str | None) -> None:
    """View a run frame by frame: request, plan, context, call, rules, decision, result.

    RUN is a run's id, or the name that its caller gave it.

    Example: checkrein replay first-run
    """
    if step and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure("--step needs a terminal.", f"checkrein replay {run}", USAGE)
    source = record(data)
    mention(screen, source)
    found = source.run(run)
    frames = source.frames(found["run_id"])
    if screen.json:
        screen.answer({"run": found, "frames": list(frames)})
        return
    _introduce(screen, found)
    if step:
        _step(screen, frames)
        return
    for frame in frames:
        show(screen, frame)


def show(screen: Screen, frame: dict[str, Any]) -> None:
    """One frame."""
    title, style = heading(frame)
    screen.say()
    screen.title(f"{frame['seq']}", title, frame["occurred_at"][11:23], style)
    for section in sections(frame):
        screen.section(section.name, section.lines, section.style)


def _introduce(screen: Screen, run: dict[str, Any]) -> None:
    name = run["name"] or run["external_id"]
    screen.title("run", name or run["run_id"], run["started_at"][:19], "")
    told = [run["run_id"], run["environment"], run["status"], f"{run['actions']} actions"]
    if run["agent_id"]:
        told.append(f"agent {run['agent_id']}")
    screen.section("", (", ".join(told),))


def _step(screen: Screen, frames: Iterator[dict[str, Any]]) -> None:
    """Frames that were seen are kept, so that one can go back."""
    seen: list[dict[str, Any]] = []
    place = 0
    while True:
        if place == len(seen):
            following = next(frames, None)
            if following is None:
                screen.progress("That was the last frame.")
                return
            seen.append(following)
        show(screen, seen[place])
        screen.progress("j next, k back, q quit")
        key = click.getchar()
        if key in ("q", "\x03", "\x04", "\x1b"):
            return
        place = max(place - 1, 0) if key == "k" else place + 1
