"""`checkrein runs export`: runs and their actions as one table, from the stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gateway.cli import folder
from gateway.cli.answering import answering, data_option
from gateway.cli.failures import FOUND, Failure
from gateway.cli.screen import Screen
from gateway.cli.settings import chosen

if TYPE_CHECKING:
    from gateway.config import Settings


@click.command(name="export")
@click.option(
    "--out",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A new file.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("csv", "json", "jsonl")),
    default="jsonl",
    show_default=True,
    help="A table, an array, or a value a line.",
)
@click.option("--status", metavar="WORD", help="Runs of this status.")
@click.option("--agent", metavar="ID", help="Runs of this agent.")
@click.option("--environment", metavar="NAME", help="Runs of this environment.")
@click.option("--after", metavar="TIME", help="Runs that started after this RFC 3339 time.")
@click.option("--before", metavar="TIME", help="Runs that started before this RFC 3339 time.")
@data_option
@answering
def runs_export(
    screen: Screen,
    out: Path,
    form: str,
    status: str | None,
    agent: str | None,
    environment: str | None,
    after: str | None,
    before: str | None,
    data: str | None,
) -> None:
    """Write runs and their actions to a file, in constant memory. No content is opened.

    Example: checkrein runs export --format csv --agent support-bot --out runs.csv
    """
    import asyncio

    wanted = {
        "status": status,
        "agent_id": agent,
        "environment": environment,
        "started_after": after,
        "started_before": before,
    }
    try:
        size = asyncio.run(_write(chosen(data), out, form, wanted))
    except OSError as error:
        text = f"{out} cannot be written: {error.strerror}."
        raise Failure(text, "name another with --out", FOUND) from error
    if screen.json:
        screen.answer({"out": str(out), "format": form, "bytes": size})
    else:
        screen.say(f"{out}: {size:,} bytes")


async def _write(settings: Settings, out: Path, form: Any, wanted: dict[str, str | None]) -> int:
    import msgspec

    from gateway.audit.tables.rows import rows
    from gateway.audit.tables.writing import written
    from gateway.storage.wanted import RunFilter

    size = 0
    async with folder.record(settings) as stores:
        project_id = await stores.control.project(folder.PROJECT)
        found = rows(stores.ledger, project_id, msgspec.convert(wanted, RunFilter))
        with out.open("xb") as file:
            async for piece in written(found, form):
                size += file.write(piece)
    return size
