"""`checkrein runs search|artifacts|agents`: what runs hold, what they made, whose they are."""

from __future__ import annotations

from typing import Any

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.record import mention, record
from gateway.cli.runs import filtering
from gateway.cli.screen import Screen

ACCESS = ("created", "written", "read", "deleted", "passed")
limit_option = click.option(
    "--limit", type=click.IntRange(1, 100), default=20, help="How many. Default: 20"
)


@click.command(name="search")
@click.argument("text")
@click.option("--content", is_flag=True, help="Also in what was asked, seen and answered.")
@limit_option
@filtering
@data_option
@answering
def search(
    screen: Screen, /, text: str, content: bool, limit: int, data: str | None, **wanted: Any
) -> None:
    """Runs in which TEXT stands: in their names, or in their content.

    Content is encrypted and has no index, so a search says how far it came.

    Example: checkrein runs search cus_9281 --content --window 7d
    """
    source = record(data)
    mention(screen, source)
    found = source.search(text, "content" if content else "names", limit, **wanted)
    if screen.json:
        screen.answer(found)
        return
    rows = [
        (hit["run_id"], f"{place['seq'] or ''}", place["pointer"], place["excerpt"])
        for hit in found["hits"]
        for place in hit["places"]
    ]
    screen.table(("run", "frame", "where", "what"), rows)
    end = f", stopped: {found['stopped']}" if found["stopped"] else ""
    looked = f"{found['searched_runs']:,} runs and {found['searched_frames']:,} frames"
    screen.progress(f"Looked at {looked}{end}.")


@click.command(name="artifacts")
@click.option("--path", metavar="PATH", help="Of this file: who touched it, and by which call.")
@click.option("--digest", metavar="SHA256", help="With this content.")
@click.option("--run", "run_id", metavar="RUN", help="Of this run.")
@click.option("--turn", "turn_id", metavar="ID", help="Of this turn.")
@click.option("--action", "action_id", metavar="ID", help="Of this call.")
@click.option("--agent", "agent_id", metavar="ID", help="Of this agent.")
@click.option("--access", type=click.Choice(ACCESS), help="What was done to it.")
@limit_option
@data_option
@answering
def artifacts(screen: Screen, /, limit: int, data: str | None, **wanted: Any) -> None:
    """What runs made or touched, newest first, with agent, call and turn.

    Example: checkrein runs artifacts --path docs/report.md
    """
    source = record(data)
    mention(screen, source)
    if wanted["run_id"]:
        wanted["run_id"] = source.run(wanted["run_id"])["run_id"]
    found = source.artifacts(limit, **wanted)
    if screen.json:
        screen.answer(found)
        return
    columns = ("when", "access", "file", "agent", "run", "call", "turn")
    names = ("recorded_at", "access", "path", "agent_id", "run_id", "action_id", "turn_id")
    screen.table(columns, [tuple(str(each[name] or "") for name in names) for each in found])


@click.command(name="agents")
@click.argument("prefix", default="")
@limit_option
@data_option
@answering
def agents(screen: Screen, prefix: str, limit: int, data: str | None) -> None:
    """Agents that had runs, whose id begins with PREFIX.

    Example: checkrein runs agents support
    """
    source = record(data)
    mention(screen, source)
    found = source.agents(prefix, limit)
    if screen.json:
        screen.answer(found)
        return
    rows = [(each["agent_id"], each["last_started_at"]) for each in found]
    screen.table(("agent", "last run began"), rows)
