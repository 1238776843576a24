"""`checkrein runs`: which runs there were, and what is known of one."""

from __future__ import annotations

from typing import Any

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.record import mention, record
from gateway.cli.screen import Screen

STATUSES = ("running", "halted", "succeeded", "failed", "paused", "escalated", "rolled_back")


@click.group(name="runs")
def runs() -> None:
    """List runs, or show one.

    They are read from the gateway at CHECKREIN_URL with the key in CHECKREIN_API_KEY, or with
    --data from a data folder, whether a gateway is running or not.
    """


@runs.command(name="list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, help="How many. Default: 20")
@click.option("--status", type=click.Choice(STATUSES), help="Only runs that stand so.")
@click.option("--agent", metavar="ID", help="Only runs of this agent.")
@data_option
@answering
def list_(
    screen: Screen, limit: int, status: str | None, agent: str | None, data: str | None
) -> None:
    """The newest runs.

    Example: checkrein runs list --status halted --limit 5
    """
    source = record(data)
    mention(screen, source)
    found = source.runs(limit, status, agent)
    if screen.json:
        screen.answer(found)
        return
    columns = ("run", "name", "where", "status", "actions", "started")
    screen.table(columns, [_row(each) for each in found])
    if not found:
        screen.progress("There are no such runs yet.")


@runs.command()
@click.argument("run", metavar="RUN")
@data_option
@answering
def show(screen: Screen, run: str, data: str | None) -> None:
    """What is known of a run, by its id or the name that its caller gave it.

    Example: checkrein runs show first-run
    """
    source = record(data)
    mention(screen, source)
    found = source.run(run)
    if screen.json:
        screen.answer(found)
        return
    screen.fields({name: _word(value) for name, value in found.items()})


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    blocked = f", {run['blocked']} blocked" if run["blocked"] else ""
    return (
        run["run_id"],
        run["name"] or run["external_id"] or "",
        run["environment"],
        run["status"],
        f"{run['actions']}{blocked}",
        run["started_at"][5:16].replace("T", " "),
    )


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items()) or "none"
    return "" if value is None else str(value)
