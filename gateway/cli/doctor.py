"""`checkrein doctor`: what is wrong on this machine, and the command that mends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.failures import FOUND
from gateway.cli.findings import Finding
from gateway.cli.screen import Screen
from gateway.cli.settings import chosen

if TYPE_CHECKING:
    from gateway.config import Settings


@click.command()
@data_option
@answering
def doctor(screen: Screen, data: str | None) -> int:
    """Look at the machine, the stores, the policy and the gateway.

    The stores are Redis and PostgreSQL where CHECKREIN_DATABASE_URL names one, otherwise the data
    folder.

    Each line is a state, a reason, and the command that mends it. Exits with 1 when something
    failed.

    Example: checkrein doctor --data .checkrein
    """
    settings = chosen(data)
    found = list(_findings(settings, screen))
    if screen.json:
        from msgspec import to_builtins

        screen.answer([to_builtins(finding) for finding in found])
    else:
        screen.table(
            ("state", "what", "why", "what mends it"),
            [(each.state, each.what, each.reason, each.mend) for each in found],
        )
    return FOUND if any(each.state == "failed" for each in found) else 0


def _findings(settings: Settings, screen: Screen) -> Iterator[Finding]:
    from gateway.cli import machine, running, servers

    folder = Path(settings.data)
    yield from machine.machine(folder)
    if not settings.on_servers:
        yield from machine.data(folder)
    else:
        if settings.redis_url is not None:
            yield from servers.redis(settings)
        yield from servers.postgres(settings)
    if settings.opa_url is not None:
        yield from servers.opa(settings)
    screen.progress("Loading the policy")
    yield from running.policy(Path(settings.policies or folder / "policies"))
    yield from running.gateway(settings)
