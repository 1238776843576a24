"""What every command has in common: `--json`, a Screen, and errors that become exit codes."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

import rich_click as click

from gateway.cli.failures import FOUND, UNFORESEEN, UNREACHABLE, USAGE, Failure
from gateway.cli.screen import Screen
from gateway.errors import (
    CheckreinError,
    ConfigInvalid,
    EngineUnavailable,
    PolicyInvalid,
    StorageFailure,
)

P = ParamSpec("P")
UNKNOWN = Failure(
    "Something happened that nobody foresaw.", "report the lines above with the command", UNFORESEEN
)

data_option = click.option(
    "--data",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="The data folder. Default: CHECKREIN_DATA, or ./.checkrein",
)


def answering(function: Callable[Concatenate[Screen, P], int | None]) -> Callable[..., None]:
    """A command that gets a Screen and returns its exit code; None is 0."""

    @click.option("--json", "json", is_flag=True, help="Answer with JSON for a script.")
    @functools.wraps(function)
    def command(*args: Any, json: bool, **kwargs: Any) -> None:
        screen = Screen(json=json)
        try:
            code = function(screen, *args, **kwargs)
        except CheckreinError as error:
            code = screen.refuse(_failure(error))
        except BrokenPipeError:
            # Whoever read has seen enough; click ends the command without a word.
            raise
        except Exception:  # noqa: BLE001 - a traceback may quote an agent, so it is made safe too
            screen.progress(traceback.format_exc())
            code = screen.refuse(UNKNOWN)
        sys.exit(code or 0)

    return command


def _failure(error: CheckreinError) -> Failure:
    """The errors of the layers below, with the step that follows from each."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, PolicyInvalid):
        return Failure("\n".join(error.findings), "checkrein policy check", FOUND)
    if isinstance(error, ConfigInvalid):
        return Failure(str(error), "correct the setting; `checkrein config show` lists all", USAGE)
    if isinstance(error, StorageFailure):
        return Failure(str(error), "checkrein doctor", FOUND)
    if isinstance(error, EngineUnavailable):
        return Failure(str(error), "checkrein doctor", UNREACHABLE)
    return Failure(str(error), "checkrein doctor", FOUND)
