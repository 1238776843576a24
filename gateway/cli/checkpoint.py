"""`checkrein audit checkpoint`: how the log stands, signed, and held against what witnesses saw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import rich_click as click

from gateway.cli import folder
from gateway.cli.answering import answering, data_option
from gateway.cli.failures import ABSENT, FOUND, UNREACHABLE, Failure
from gateway.cli.screen import Screen
from gateway.cli.settings import chosen

if TYPE_CHECKING:
    from gateway.config import Settings


@click.command()
@click.option(
    "--witness",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder elsewhere: hold the log against every checkpoint there, then add this one.",
)
@click.option(
    "--git",
    "repository",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The same with a folder of a Git repository, where each checkpoint is a commit.",
)
@click.option("--webhook", metavar="URL", help="Send it to a witness that speaks C2SP's protocol.")
@click.option(
    "--secret-file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="What the webhook knows us by: its bytes sign what is sent.",
)
@data_option
@answering
def checkpoint(
    screen: Screen,
    witness: Path | None,
    repository: Path | None,
    webhook: str | None,
    secret_file: Path | None,
    data: str | None,
) -> int:
    """Sign how the log stands, and prove that it goes on from what a witness saw.

    Exits with 1 when events that a witness saw are gone or were changed.

    Example: checkrein audit checkpoint --witness /mnt/elsewhere
    """
    import asyncio

    secret = None if secret_file is None else secret_file.read_bytes().strip()
    witnesses = _Witnesses(witness, repository, webhook, secret)
    note, size, gone, strays = asyncio.run(_checkpoint(chosen(data), witnesses))
    ok = not gone and not strays
    if screen.json:
        told = {"ok": ok, "size": size, "gone": gone, "strays": strays, "note": note}
        screen.answer(told)
        return 0 if ok else FOUND
    if strays:
        screen.say(f"failed  {strays:,} hashes of log and events have no counterpart.", "red")
        return FOUND
    if gone:
        screen.say(f"failed  The log does not go on from what was seen at {gone}.", "red")
        return FOUND
    screen.say(note.rstrip())
    return 0


class _Witnesses(NamedTuple):
    """Who is told of a checkpoint: a folder, a repository, an address and its secret."""

    folder: Path | None
    repository: Path | None
    webhook: str | None
    secret: bytes | None


async def _checkpoint(settings: Settings, witnesses: _Witnesses) -> tuple[str, int, list[int], int]:
    """The signed note, the log's size, the sizes at which it is not what it was, its strays."""
    from gateway.ambient import SystemAmbient
    from gateway.audit.log import checkpoint as notes
    from gateway.audit.log import file_witness, git_witness, webhook_witness
    from gateway.audit.log.growing import checkpoint_now
    from gateway.audit.log.tree import LogTree
    from gateway.audit.signing.keys import PURPOSE, SigningKeys

    at = witnesses
    async with folder.record(settings) as stores:
        project_id = await stores.control.project(folder.PROJECT)
        keys = SigningKeys(stores.control, stores.keyring.derived(PURPOSE))
        signer = await keys.signer()
        if signer is None:
            raise Failure("There is no signing key.", "checkrein audit keys create", ABSENT)
        origin = notes.origin_of(project_id)
        known = await keys.public_keys()
        try:
            older = file_witness.seen(at.folder, origin, known) if at.folder else []
            older += git_witness.seen(at.repository, origin, known) if at.repository else []
            now, gone = await checkpoint_now(stores.ledger, project_id, older)
            strays = await stores.ledger.strays(project_id)
            note = notes.sign(now, signer)
            if not gone and not strays:
                if at.folder:
                    file_witness.push(at.folder, note, now.size)
                if at.repository:
                    git_witness.push(at.repository, note, now.size)
                if at.webhook:
                    tree = LogTree(stores.ledger, project_id)
                    await tree.size()

                    async def prove(old: int) -> list[bytes] | None:
                        return await tree.consistency(old, now.size) if old <= now.size else None

                    ambient = SystemAmbient()
                    await webhook_witness.push(at.webhook, note, prove, ambient, secret=at.secret)
        except notes.NoteBroken as error:
            raise Failure(
                f"{error}", "keep both: the log or the witness was touched", FOUND
            ) from error
        except git_witness.WitnessAway as error:
            raise Failure(str(error), "ask for the checkpoint again", UNREACHABLE) from error
    return note.decode(), now.size, [each.size for each in gone], strays
