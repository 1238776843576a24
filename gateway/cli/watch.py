"""`checkrein watch`: what happens, while it happens."""

from __future__ import annotations

from typing import Any, Final

import rich_click as click

from gateway.cli.answering import answering
from gateway.cli.client import from_environment, segment
from gateway.cli.failures import ABSENT, FOUND, Failure
from gateway.cli.screen import STYLES, Screen
from gateway.cli.text import line

_ENDS: Final = {"run_completed": 0, "run_failed": FOUND, "run_halted": FOUND}
_BAD: Final = ("run_failed", "run_halted", "action_failed")
# What is told of a message, in this order, with the word before it.
_TOLD: Final = {
    "tool": "",
    "enforced": "",
    "rules": "by ",
    "name": "",
    "agent_id": "agent ",
    "status": "",
    "reason": "",
    "approval_id": "",
    "expires_at": "until ",
    "actions": "actions ",
    "blocked": "blocked ",
    "errors": "errors ",
}


@click.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--after", metavar="ID", help="Go on behind the message of this id.")
@answering
def watch(screen: Screen, run: str | None, after: str | None) -> int:
    """Tell what happens while it happens, of the whole project or of one run until it ends.

    Goes on by itself after an interruption, without losing anything. With RUN the exit code is 1
    when the run failed or was halted. With --json each line is a message.

    Example: checkrein watch --json
    """
    from gateway.cli.stream import Stream

    client = from_environment()

    def away(why: str) -> None:
        screen.progress(f"The gateway is away ({why}). It is asked again.")

    try:
        for message in Stream(client, run, after, away):
            if message["type"] == "ready":
                if run is not None and (code := _ended_already(screen, run)) is not None:
                    return code
                screen.progress("Following. Ctrl-C ends it.")
                continue
            _tell(screen, message)
            if run is not None and message["type"] in _ENDS:
                return _ENDS[message["type"]]
    except KeyboardInterrupt:
        return 0
    raise AssertionError("a stream goes on")


def _ended_already(screen: Screen, run: str) -> int | None:
    """The exit code for a run that is over; None for one that goes on, or is still to begin."""
    try:
        found = from_environment().get(f"/v1/runs/{segment(run)}")
    except Failure as failure:
        if failure.code == ABSENT:
            return None
        raise
    if found["status"] == "running":
        return None
    screen.progress(f"{line(run)} is over: {line(found['status'])}.")
    return FOUND if found["status"] in ("failed", "halted") else 0


def _tell(screen: Screen, message: dict[str, Any]) -> None:
    if screen.json:
        screen.answer(message)
        return
    kind, at = str(message["type"]), str(message.get("at", ""))
    told = [f"{word}{_word(message[name])}" for name, word in _TOLD.items() if message.get(name)]
    row = [at[11:19] or " " * 8, f"{line(kind):<18}", line(str(message.get("run_id", "")))]
    style = STYLES["failed"] if kind in _BAD else STYLES.get(str(message.get("enforced")))
    screen.say("  ".join([*row, ", ".join(told)]).rstrip(), style)


def _word(value: Any) -> str:
    return line(", ".join(map(str, value)) if isinstance(value, list) else str(value))
