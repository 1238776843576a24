"""`checkrein replay`: step through what was recorded of a run. Nothing is run, called or judged."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.failures import USAGE, Failure
from gateway.cli.frame_text import heading, sections
from gateway.cli.record import mention, record
from gateway.cli.screen import Screen

if TYPE_CHECKING:
    from gateway.replay.steps import Change


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
    from gateway.replay.breaking import BROKEN

    source = record(data)
    mention(screen, source)
    found = source.run(run)
    seen = _Seen()
    frames = seen.passing(source.frames(found["run_id"]))
    if screen.json:
        held = list(frames)
        screen.answer({"run": found, "frames": held, "capture": seen.told()})
        return
    _introduce(screen, found)
    if step:
        shown = _with_steps(found["run_id"], frames)
        _step(screen, shown, seen, opens=found["status"] in BROKEN)
        return
    for frame in _with_steps(found["run_id"], frames):
        show(screen, frame)
    screen.say()
    screen.section("capture", (seen.told()["says"],))


def show(screen: Screen, frame: dict[str, Any]) -> None:
    """One frame."""
    title, style = heading(frame)
    screen.say()
    screen.title(f"{frame['seq']}", title, frame["occurred_at"][11:23], style)
    for section in sections(frame):
        screen.section(section.name, section.lines, section.style)
    if changed := frame.get("changed"):
        screen.section("changed", changed)


class _Seen:
    """Follows frames as they are shown, for what was captured of their run."""

    def __init__(self) -> None:
        from gateway.replay.record.capture import Capture

        self._capture = Capture()

    def passing(self, frames: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        import msgspec

        from gateway.replay.frames import ReplayFrame

        for frame in frames:
            self._capture.add(msgspec.convert(frame, ReplayFrame))
            yield frame

    def told(self) -> dict[str, Any]:
        """Once all frames have passed."""
        import msgspec

        from gateway.replay.record.manifest import SHOWN, Captured

        found = Captured([self._capture.manifest()], complete=True).beside(SHOWN)
        told: dict[str, Any] = msgspec.to_builtins(found)
        return told


def _broken(frames: list[dict[str, Any]]) -> int:
    """The place of the frame in which the run broke, of the first where none can be told."""
    import msgspec

    from gateway.replay.breaking import Breaking
    from gateway.replay.frames import ReplayFrame

    breaking = Breaking()
    for frame in frames:
        breaking.add(msgspec.convert(frame, ReplayFrame))
    seqs = [frame["seq"] for frame in frames]
    return seqs.index(breaking.broken[0]) if breaking.broken else 0


def _with_steps(run_id: str, frames: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The frames, each with what it changed in the state of the run."""
    import msgspec

    from gateway.replay.frames import ReplayFrame
    from gateway.replay.steps import Steps

    steps = Steps("", run_id)
    for frame in frames:
        step = steps.add(msgspec.convert(frame, ReplayFrame))
        yield {**frame, "changed": [_change(each) for each in step.changes]}


def _change(change: Change) -> str:
    before, after = (
        "none" if each is None else str(each).lower() if isinstance(each, bool) else f"{each}"
        for each in (change.before, change.after)
    )
    return f"{change.pointer[1:].replace('/', ' ')}: {before} -> {after}"


def _introduce(screen: Screen, run: dict[str, Any]) -> None:
    name = run["name"] or run["external_id"]
    screen.title("run", name or run["run_id"], run["started_at"][:19], "")
    told = [run["run_id"], run["environment"], run["status"], f"{run['actions']} actions"]
    if run["agent_id"]:
        told.append(f"agent {run['agent_id']}")
    screen.section("", (", ".join(told),))


def _step(
    screen: Screen, frames: Iterator[dict[str, Any]], captured: _Seen, *, opens: bool
) -> None:
    """Frames that were seen are kept, so that one can go back.

    `opens`: the run did not go well, and begins with the step that broke.
    """
    seen: list[dict[str, Any]] = []
    place = 0
    if opens:
        seen = list(frames)
        place = _broken(seen)
        screen.progress(f"This is where it broke. There are {place} frames before it.")
    while True:
        if place == len(seen):
            following = next(frames, None)
            if following is None:
                screen.progress(f"That was the last frame. {captured.told()['says']}")
                return
            seen.append(following)
        show(screen, seen[place])
        screen.progress("j next, k back, q quit")
        key = click.getchar()
        if key in ("q", "\x03", "\x04", "\x1b"):
            return
        place = max(place - 1, 0) if key == "k" else place + 1
