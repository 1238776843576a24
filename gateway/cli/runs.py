"""`checkrein runs`: which runs there were, and what is known of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.record import mention, record
from gateway.cli.screen import Screen

STATUSES = ("running", "halted", "succeeded", "failed", "paused", "escalated", "rolled_back")
EFFECTS = (
    *("read", "write", "delete", "payment", "message", "access", "deploy", "exec", "network"),
)
CHOICES = (
    ("status", STATUSES, "Only runs that stand so."),
    ("window", ("24h", "7d", "30d", "all"), "Only runs that began within that time."),
    ("side_effect", EFFECTS, "Only runs that did this."),
    ("approval", ("requested", "expired", "denied"), "Only runs with such an approval."),
)
FILTERS = (
    ("environment", "NAME", "Only runs of this environment."),
    ("path", "PATH", "Only runs that made or touched this file."),
    ("digest", "SHA256", "Only runs with an artifact of this digest."),
    ("mcp_server", "NAME", "Only runs that called this MCP server."),
    ("model", "ID", "Only runs that asked this model."),
    ("prompt_version", "WORD", "Only runs with this version of the prompt."),
    ("parent_run_id", "RUN", "Only runs below this one."),
)


@click.group(name="runs")
def runs() -> None:
    """List runs, or show one.

    They are read from the gateway at CHECKREIN_URL with the key in CHECKREIN_API_KEY, or with
    --data from a data folder, whether a gateway is running or not.
    """


def filtering(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filters of a list of runs, handed over under the names that the API has for them."""
    for name, metavar, text in reversed(FILTERS):
        option = f"--{name.replace('_', '-')}"
        function = click.option(option, name, metavar=metavar, help=text)(function)
    for name, words, text in CHOICES:
        option = f"--{name.replace('_', '-')}"
        function = click.option(option, name, type=click.Choice(words), help=text)(function)
    least = click.option("--min-cost", type=click.IntRange(0), help="Minor units of --currency.")
    money = click.option("--currency", default="USD", show_default=True, metavar="CODE")
    agent = click.option("--agent", "agent_id", metavar="ID", help="Only runs of this agent.")
    look = click.option(
        "--critical", "attention", flag_value="any", help="Only runs that are worth a look."
    )
    return look(agent(least(money(function))))


@runs.command(name="list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, help="How many. Default: 20")
@filtering
@data_option
@answering
def list_(screen: Screen, /, limit: int, data: str | None, **wanted: Any) -> None:
    """The newest runs that meet every filter.

    Example: checkrein runs list --status halted --limit 5
    """
    source = record(data)
    mention(screen, source)
    found = source.runs(limit, **wanted)
    if screen.json:
        screen.answer(found)
        return
    columns = ("run", "name", "where", "status", "actions", "cost", "look at", "started")
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
        ", ".join(f"{amount:,} {currency}" for currency, amount in run["cost"].items()),
        ", ".join(run["attention"]),
        run["started_at"][5:16].replace("T", " "),
    )


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items()) or "none"
    return "" if value is None else str(value)
