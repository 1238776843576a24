"""`checkrein determinism`: how alike a run would come out again, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.record import mention, record
from gateway.cli.screen import Screen

if TYPE_CHECKING:
    from gateway.replay.determinism.scoring import Determinism


@click.command()
@click.argument("run", metavar="RUN")
@data_option
@answering
def determinism(screen: Screen, run: str, data: str | None) -> None:
    """Score a run from 0 to 100 by its record, with each issue and what to do about it.

    Example: checkrein determinism first-run
    """
    import msgspec

    from gateway.replay.determinism.scoring import FRAMES_MAX, Scoring
    from gateway.replay.frames import ReplayFrame

    source = record(data)
    mention(screen, source)
    run_id = source.run(run)["run_id"]
    scoring = Scoring(run_id)
    for frame in source.frames(run_id):
        scoring.add(msgspec.convert(frame, ReplayFrame))
        if scoring.frames >= FRAMES_MAX:
            break
    found = scoring.result()
    if screen.json:
        screen.answer(msgspec.to_builtins(found))
        return
    show(screen, found)


def show(screen: Screen, found: Determinism) -> None:
    """The score, with each issue and what to do about it."""
    score = "no call to tell it from" if found.score is None else f"{found.score} of 100"
    screen.say(f"{score}{f', {found.band}' if found.band else ''}")
    if found.issues:
        screen.say()
        columns = ("severity", "kind", "frame", "tool", "place", "what")
        screen.table(
            columns,
            [(i.severity, i.kind, f"{i.seq}", i.tool, i.place, i.told) for i in found.issues],
        )
    for advice in found.advice:
        screen.say()
        screen.section(advice.kind, (advice.practice,))
        screen.section("before", advice.before.split("\n"))
        screen.section("after", advice.after.split("\n"))
    screen.say()
    screen.section("how", (found.how,))
    screen.section("not seen", found.coverage.unseen)
