"""`checkrein demo`: six failures of agents, played for real, and one of them stepped through."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import rich_click as click

import gateway
from gateway.cli.answering import answering
from gateway.cli.client import Client
from gateway.cli.failures import ABSENT, FOUND, Failure
from gateway.cli.record import over_http
from gateway.cli.replay import show
from gateway.cli.screen import Screen
from gateway.cli.stories import (
    MODES,
    STORIES,
    Story,
    assessed,
    attempts,
    is_caught,
    ran,
    surprises,
)
from gateway.cli.trial import Trial, trial

EXAMPLES = Path(gateway.__file__).resolve().parents[1] / "sdk_python" / "examples"
STORY_SECONDS = 60
STEPPED = "stripe_boolean"

Summaries = dict[str, dict[str, Any]]


@click.command()
@click.option(
    "--servers", is_flag=True, help="Play on the Redis and PostgreSQL that the settings name."
)
@answering
def demo(screen: Screen, *, servers: bool) -> int:
    """Six failures of AI agents, against a gateway of their own, in three modes.

    Each is an ordinary script with the Python SDK. In mode log everything runs and is recorded, in
    mode warn it runs with a warning, in mode block what is wrong does not run. Then one of the runs
    is stepped through. Exits with 0 only when all of it went as it should.

    Example: checkrein demo
    """
    began = time.monotonic()
    present()
    screen.progress(f"Starting a gateway {'on servers' if servers else 'in a temporary folder'}")
    with trial(tuple(MODES), servers=servers) as running:
        played: dict[str, Summaries] = {}
        for number, story in enumerate(STORIES, start=1):
            with screen.working(f"Playing {number} of {len(STORIES)}: {story.name}"):
                played[story.name] = {
                    mode: play(story, running.environ(environment))
                    for environment, mode in MODES.items()
                }
            if not screen.json:
                _tell(screen, number, story, played[story.name])
        replayed = _replay(screen, running, played[STEPPED]["block"]["run_id"])
    wrong = _wrong(played) + _unseen(replayed)
    seconds = round(time.monotonic() - began, 1)
    if screen.json:
        screen.answer(
            {
                "ok": not wrong,
                "seconds": seconds,
                "wrong": wrong,
                "simulations": played,
                "replay": replayed,
            }
        )
    else:
        told = f"{len(STORIES)} failures in {len(MODES)} modes, all caught, in {seconds} seconds."
        conclude(screen, wrong, told, "checkrein up, and three lines in your own agent (README.md)")
    return FOUND if wrong else 0


def present() -> None:
    """Raises Failure where the simulations cannot be played."""
    if importlib.util.find_spec("checkrein") is None:
        raise Failure("The Python SDK is not installed.", "pip install checkrein", ABSENT)
    if not all((EXAMPLES / f"{story.name}.py").is_file() for story in STORIES):
        text = "The simulations come with the source of Checkrein, not with an installed package."
        raise Failure(text, "get the source, and run `make demo` there", ABSENT)


def play(story: Story, environ: dict[str, str], *options: str) -> dict[str, Any]:
    """Run an example as its author would, and take the summary that it prints."""
    command = (sys.executable, str(EXAMPLES / f"{story.name}.py"), "--json", *options)
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, timeout=STORY_SECONDS, check=False
        )
        summary: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        text = f"The simulation {story.name} did not finish: {error}"
        raise Failure(text, f"python {command[1]}", FOUND) from error
    return summary


def _tell(screen: Screen, number: int, story: Story, summaries: Summaries) -> None:
    """What was asked, tried, decided and run, in each mode."""
    blocked = summaries["block"]
    screen.say()
    screen.title(str(number), story.title, story.name, "")
    screen.section("asked", (blocked["asked"],))
    screen.section("tried", tuple(_calls(story, blocked)))
    reasons = dict.fromkeys(
        f"{each.rule}: {each.reason}" for each in attempts(blocked) if each.verdict != "allow"
    )
    screen.section("why", tuple(reasons))
    if likely := assessed(blocked):
        screen.section("intent", tuple(likely))
    screen.table(
        ("mode", "call", "verdict", "enforced", "rule", "ms", "what ran"),
        [row for mode, summary in summaries.items() for row in _rows(mode, summary)],
    )


def _rows(mode: str, summary: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for place, each in enumerate(attempts(summary)):
        call = f"{each.tool} x{each.count}" if each.count > 1 else each.tool
        first = place == 0
        rows.append(
            (
                mode if first else "",
                call,
                each.verdict,
                each.enforced,
                each.rule,
                f"{each.milliseconds:.2f}",
                ran(summary) if first else "",
            )
        )
    return rows


def _calls(story: Story, summary: dict[str, Any]) -> list[str]:
    """The first call of each tool that is caught, with its arguments."""
    found: dict[str, str] = {}
    for tried in summary["tried"]:
        if tried["tool"] in story.caught and is_caught(tried, story.caught[tried["tool"]]):
            arguments = json.dumps(tried["arguments"], ensure_ascii=False)
            found.setdefault(tried["tool"], f"{tried['tool']} {arguments}")
    return list(found.values())


def _replay(screen: Screen, running: Trial, run_id: str) -> dict[str, Any]:
    """Step through a run, as `checkrein replay` does."""
    source = over_http(Client(running.url, running.keys["production"]))
    run, frames = source.run(run_id), list(source.frames(run_id))
    if not screen.json:
        screen.say()
        screen.title("", f"The {STEPPED} run, frame by frame", run_id, "")
        for frame in frames:
            show(screen, frame)
    return {"run": run, "frames": frames}


def _wrong(played: dict[str, Summaries]) -> list[str]:
    return [
        said
        for story in STORIES
        for mode, summary in played[story.name].items()
        for said in surprises(story, mode, summary)
    ]


def _unseen(replayed: dict[str, Any]) -> list[str]:
    """The stepped run must show the plan, the call that differs from it, and the decision."""
    decisions = [frame for frame in replayed["frames"] if frame["type"] == "decision"]
    for frame in decisions:
        seen = frame["content"].get("frame", {})
        planned = ((seen.get("request") or {}).get("plan") or {}).get("arguments") or {}
        called = (seen.get("action") or {}).get("arguments") or {}
        if planned.get("is_refund") is False and called.get("is_refund") is True:
            return []
    return [f"the {STEPPED} run does not show where the flag flipped"]


def conclude(screen: Screen, wrong: list[str], well: str, then: str) -> None:
    """What went wrong, or that all went well and what to do next."""
    screen.say()
    for said in wrong:
        screen.say(f"failed  {said}", "red")
    if wrong:
        screen.say(f"{len(wrong)} things did not go as they should.", "red")
        screen.say("  Next: checkrein doctor")
        return
    screen.say(f"ok  {well}", "green")
    screen.say(f"  Next: {then}")
