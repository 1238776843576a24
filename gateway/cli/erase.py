"""`checkrein erase`: what a run, a person or a project wrote, gone for good; said first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import rich_click as click

from gateway.cli import client, folder
from gateway.cli.answering import answering, data_option
from gateway.cli.failures import ABSENT, FOUND, USAGE, Failure
from gateway.cli.screen import Screen
from gateway.cli.settings import chosen

if TYPE_CHECKING:
    from gateway.config import Settings

What = Literal["run", "subject", "project"]
# An erasure waits for files to be written anew.
SECONDS = 180
COMMAND = "checkrein erase"


@click.group(name="erase")
def erase() -> None:
    """Destroy the keys of what a run, a person or a project wrote. Proofs still verify."""


yes = click.option("--yes", is_flag=True, help="Do it without asking.")


@erase.command()
@click.argument("run", metavar="RUN")
@yes
@data_option
@answering
def run(screen: Screen, run: str, yes: bool, data: str | None) -> int:
    """Erase one run's content. RUN is its id, or the name that its caller gave it.

    Example: checkrein erase run run_0192f0c1a2b47c3d8e9f001122334455
    """
    return _erase(screen, "run", run, yes, data)


@erase.command()
@click.argument("user", metavar="USER_ID")
@yes
@data_option
@answering
def subject(screen: Screen, user: str, yes: bool, data: str | None) -> int:
    """Erase the content of all runs of one person, by the `user_id` of these runs.

    Example: checkrein erase subject u_4711
    """
    return _erase(screen, "subject", user, yes, data)


@erase.command()
@click.argument("project", metavar="PROJECT_ID")
@yes
@data_option
@answering
def project(screen: Screen, project: str, yes: bool, data: str | None) -> int:
    """Erase the content of everything that was recorded so far. The project itself goes on.

    Example: checkrein erase project prj_0192f0c1a2b47c3d8e9f001122334455
    """
    return _erase(screen, "project", project, yes, data)


@erase.command()
@answering
def scrub(screen: Screen) -> None:
    """Have PostgreSQL write its tables of secrets anew, as their owner, after an erasure.

    CHECKREIN_DATABASE_URL is that of `checkrein migrate`.

    Example: checkrein erase scrub
    """
    import asyncio

    from gateway.storage.server.postgres import erasing

    settings = chosen(None)
    if settings.database_url is None:
        raise Failure("There is no database.", "export CHECKREIN_DATABASE_URL=...", USAGE)
    remains = asyncio.run(erasing.scrub(settings.database_url))
    if screen.json:
        screen.answer({"remains": remains})
        return
    screen.say("The tables were written anew.")
    _remaining(screen, remains)


def _erase(screen: Screen, what: What, id: str, yes: bool, data: str | None) -> int:
    over_http = data is None and bool(os.environ.get("CHECKREIN_API_KEY"))

    def asked(*, confirm: bool) -> dict[str, Any]:
        if over_http:
            body = {"what": what, "id": id, "confirm": confirm}
            found: dict[str, Any] = client.from_environment(SECONDS).post("/v1/erasures", body)
            return found
        return _in_stores(chosen(data), what, id, confirm=confirm)

    before = asked(confirm=False)
    screen.progress(_extent(before))
    if not yes:
        if screen.json:
            text = "Nothing was erased: it cannot be undone."
            raise Failure(text, f"{COMMAND} {what} {id} --yes", USAGE)
        if not click.confirm("Erase it for good?", err=True):
            screen.say("Nothing was erased.")
            return FOUND
    done = asked(confirm=True)
    if screen.json:
        screen.answer(done)
    else:
        screen.say(f"Erased: the content of {done['run_count']:,} runs.")
        _remaining(screen, done["remains"])
    return 0


def _extent(before: dict[str, Any]) -> str:
    counted = f"{before['event_count']:,} events in {before['run_count']:,} runs"
    if not before["run_count"]:
        return f"Nothing of {before['what']} {before['id']} is left to erase."
    when = f"{before['first_started_at'][:19]} to {before['last_at'][:19]}"
    return f"This destroys the content of {counted}, {when}. Events and proofs stay."


def _remaining(screen: Screen, remains: list[str]) -> None:
    for each in remains:
        screen.say(f"Copies of what was destroyed remain in {each}.")


def _in_stores(settings: Settings, what: What, id: str, *, confirm: bool) -> dict[str, Any]:
    import asyncio

    if not settings.on_servers:
        where = folder.existing(Path(settings.data))
        if folder.in_use(where):
            text = "A gateway is at work on this folder, and has keys in memory: ask it."
            raise Failure(text, "export CHECKREIN_API_KEY=... (a key with --scope admin)", USAGE)
        if folder.waiting(where):
            text = "Some events are not in the record yet, and would be lost unread."
            raise Failure(text, "checkrein up, until it has recorded them", FOUND)
    return asyncio.run(_stored(settings, what, id, confirm=confirm))


async def _stored(settings: Settings, what: What, id: str, *, confirm: bool) -> dict[str, Any]:
    from msgspec import to_builtins

    from gateway.ambient import SystemAmbient
    from gateway.audit.erasing import Eraser, Target
    from gateway.domain.run_ids import run_id_of
    from gateway.wiring import backend

    ambient = SystemAmbient()
    async with backend(settings).gateway_stores(settings, ambient, "") as stores:
        project_id = await stores.control.project(folder.PROJECT)
        if what == "project" and id != project_id:
            raise Failure(
                f"{id} is not the project here.", f"{COMMAND} project {project_id}", USAGE
            )
        named = run_id_of(project_id, settings.environment, id) if what == "run" else id
        if what == "run" and await stores.ledger.run(project_id, named) is None:
            raise Failure(f"There is no run {named}.", "checkrein runs", ABSENT)
        target = Target(project_id, what, named)
        eraser = Eraser(stores.ledger, stores.journal, stores.control, stores.keyring, ambient)
        extent = await eraser.extent(target)
        remains = await eraser.erase(target, "command") if confirm else []
        told = {"what": what, "id": named, "done": confirm, "remains": remains}
        return {**told, **to_builtins(extent)}
