"""`checkrein runs index`: runs recorded by an earlier release, filed by what they are found by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.folder import record
from gateway.cli.screen import Screen
from gateway.cli.settings import chosen

if TYPE_CHECKING:
    from gateway.config import Settings


@click.command(name="index")
@data_option
@answering
def runs_index(screen: Screen, data: str | None) -> None:
    """File every run again by its models, servers, costs, artifacts and the like.

    Needed once, after an upgrade from a release that did not file them. It may be interrupted and
    repeated, and a gateway or worker may be at work meanwhile.

    Example: checkrein runs index --data .checkrein
    """
    import asyncio

    settings = chosen(data)
    screen.progress(f"Reading {'the database' if settings.on_servers else settings.data}")
    count = asyncio.run(_filed(settings))
    if screen.json:
        screen.answer({"runs": count})
    else:
        screen.say(f"{count:,} runs are filed.")


async def _filed(settings: Settings) -> int:
    async with record(settings, everything=True) as stores:
        runs = await stores.ledger.all_runs()
        for project_id, run_id in runs:
            await stores.ledger.refile(project_id, run_id)
        return len(runs)
