"""`checkrein verify`: is the record still what was recorded?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.failures import FOUND
from gateway.cli.folder import record
from gateway.cli.screen import Screen
from gateway.cli.settings import chosen

if TYPE_CHECKING:
    from gateway.audit.verify import Verification
    from gateway.config import Settings


@click.command()
@data_option
@answering
def verify(screen: Screen, data: str | None) -> int:
    """Work out every hash chain, commitment and table of the record again, and compare.

    Reads only, also while a gateway is at work. Exits with 1 on any problem.

    Example: checkrein verify --data .checkrein && echo untouched
    """
    import asyncio

    import msgspec

    settings = chosen(data)
    screen.progress(f"Verifying {'the database' if settings.on_servers else settings.data}")
    found = asyncio.run(_verified(settings))
    if screen.json:
        screen.answer({"ok": found.ok, **msgspec.to_builtins(found)})
    else:
        _tell(screen, found)
    return 0 if found.ok else FOUND


async def _verified(settings: Settings) -> Verification:
    from gateway.audit import verify as audit

    async with record(settings, everything=True) as stores:
        return await audit.verify(stores.ledger, stores.keyring.run_secret)


def _tell(screen: Screen, found: Verification) -> None:
    counted = f"{found.runs:,} runs with {found.events:,} events"
    if found.ok:
        screen.say(f"ok  {counted}: every chain, commitment and table is as it was recorded.")
    else:
        screen.say(f"failed  {found.bad_runs:,} of {counted} are not as they were recorded.", "red")
    if found.sealed:
        screen.say(f"    {found.sealed:,} runs could not be opened: their keys were destroyed.")
    if found.erased:
        screen.say(f"    {found.erased:,} runs were erased: their content is gone, as recorded.")
    if found.unreadable:
        said = "journal records could not be read; their digests are recorded."
        screen.say(f"    {found.unreadable:,} {said}")
    if found.twice:
        screen.say(f"    {found.twice:,} runs have a number that was given out twice.")
    rows = [
        (report.run_id, str(problem.seq or "run"), problem.kind, problem.detail)
        for report in found.bad
        for problem in report.problems
    ]
    if rows:
        screen.table(("run", "seq", "kind", "what is wrong"), rows)
        if all(problem.kind == "filed" for report in found.bad for problem in report.problems):
            screen.say("The events are as they were recorded: `checkrein runs index` mends this.")
        else:
            screen.say("Compare with a backup; `checkrein replay RUN` shows what can be read.")
