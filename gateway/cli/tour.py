"""`checkrein tour`: six bad runs viewed, judged again, simulated, explained, compared and proved.

Everything is done by the commands that a user has, as processes of their own, over a gateway that
the tour starts in a temporary folder. What is shown is what they answered.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import rich_click as click

from gateway.cli.answering import answering
from gateway.cli.demo import conclude, play, present
from gateway.cli.failures import FOUND
from gateway.cli.screen import Screen
from gateway.cli.stations import STATIONS, Visit, make_key
from gateway.cli.stories import STORIES, Story
from gateway.cli.trial import trial

ENVIRONMENT = "development"
SHOWN = "stripe_boolean"


@click.command()
@answering
def tour(screen: Screen) -> int:
    """Replay and understand six bad runs, with real output, in about a minute.

    In mode log everything an agent does is recorded and nothing is stopped. Each run is then
    stepped through, judged again to the same bytes, simulated without a network, explained,
    compared with a good run, exported and verified; then one byte of the export is changed. Exits
    with 0 only when all of it went as it should.

    Example: checkrein tour
    """
    began = time.monotonic()
    present()
    screen.progress("Starting a gateway in a temporary folder")
    told: dict[str, dict[str, Any]] = {}
    with (
        trial((ENVIRONMENT,)) as running,
        tempfile.TemporaryDirectory(prefix="checkrein-tour-") as folder,
    ):
        environ = running.environ(ENVIRONMENT)
        make_key(running.data)
        for number, story in enumerate(STORIES, start=1):
            with screen.working(f"Playing {number} of {len(STORIES)}: {story.name}"):
                good = play(story, environ, "--right")["run_id"]
                bad = play(story, environ)["run_id"]
            visit = Visit(story.name, bad, good, Path(folder), running.data, environ)
            whole = story.name == SHOWN
            told[story.name] = _visited(screen, number, story, visit, whole=whole)
    wrong = [
        f"{name}, {station}: {found['wrong']}"
        for name, stations in told.items()
        for station, found in stations.items()
        if found["wrong"]
    ]
    seconds = round(time.monotonic() - began, 1)
    if screen.json:
        screen.answer({"ok": not wrong, "seconds": seconds, "wrong": wrong, "runs": told})
    else:
        told_all = f"{len(STORIES)} runs, {len(STATIONS)} stations each, in {seconds} seconds."
        conclude(screen, wrong, told_all, "the same commands on a run of your own")
    return FOUND if wrong else 0


def _visited(
    screen: Screen, number: int, story: Story, visit: Visit, *, whole: bool
) -> dict[str, Any]:
    """What each station told about one run; `whole` shows what its command printed as well."""
    if not screen.json:
        screen.say()
        screen.title(str(number), story.title, story.name, "")
    told: dict[str, Any] = {}
    for name, station in STATIONS.items():
        found = station(visit, whole)
        told[name] = {"command": found.command, "told": found.told, "wrong": found.wrong}
        if screen.json:
            continue
        screen.section(name, (found.told,), "failed" if found.wrong else "")
        if whole:
            screen.section("", (f"$ {found.command}",))
            screen.say(found.printed.rstrip())
            screen.say()
    return told
