"""`checkrein audit prove` and `audit consistency`: single proofs, each in a file of its own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import rich_click as click

from gateway.cli import folder
from gateway.cli.answering import answering, data_option
from gateway.cli.failures import ABSENT, FOUND, USAGE, Failure
from gateway.cli.record import mention, record
from gateway.cli.screen import Screen
from gateway.cli.settings import chosen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.audit.log.checkpoint import Checkpoint
    from gateway.audit.log.proof_file import Consistency, Inclusion
    from gateway.audit.log.tree import LogTree
    from gateway.audit.signing.ed25519 import PublicKeys, Signer
    from gateway.config import Settings
    from gateway.storage.ports import Ledger, StoredEvent

out_option = click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A new file for the proof. Without one it is written to standard output.",
)


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--seq", type=click.IntRange(1), help="The number of the event. Default: the last.")
@click.option(
    "--under",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A checkpoint that a witness has. Default: one of now.",
)
@out_option
@data_option
@answering
def prove(
    screen: Screen,
    run: str,
    seq: int | None,
    under: Path | None,
    out: Path | None,
    data: str | None,
) -> None:
    """Prove that an event is in the project's log. `audit verify` checks the file offline.

    The event's hash speaks for all before it in its run. RUN is an id, or the caller's name.

    Example: checkrein audit prove first-run --seq 3 --out proof.json
    """
    import asyncio

    source = record(data)
    mention(screen, source)
    run_id: str = source.run(run)["run_id"]
    proof, keys = asyncio.run(_inclusion(chosen(data), run_id, seq, under))
    _answer(screen, proof, keys, out)


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="[NEW]", required=False)
@out_option
@data_option
@answering
def consistency(
    screen: Screen, old: str, new: str | None, out: Path | None, data: str | None
) -> None:
    """Prove that the log only grew from OLD to NEW. `audit verify` checks the file offline.

    Each is a checkpoint's file, as a witness has it, or a size of the log; NEW is now unless it is
    said. Exits with 1 when the log does not go on from there.

    Example: checkrein audit consistency /mnt/elsewhere/checkpoint-000000000000004.txt
    """
    import asyncio

    proof, keys = asyncio.run(_consistency(chosen(data), old, new))
    _answer(screen, proof, keys, out)


class _Opened(NamedTuple):
    """A project's log, and what signs it."""

    ledger: Ledger
    tree: LogTree
    project_id: str
    size: int
    signer: Signer
    keys: PublicKeys


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[_Opened]:
    from gateway.audit.log.tree import LogTree
    from gateway.audit.signing.keys import PURPOSE, SigningKeys

    async with folder.record(settings) as stores:
        project_id = await stores.control.project(folder.PROJECT)
        keys = SigningKeys(stores.control, stores.keyring.derived(PURPOSE))
        signer = await keys.signer()
        if signer is None:
            raise Failure("There is no signing key.", "checkrein audit keys create", ABSENT)
        tree = LogTree(stores.ledger, project_id)
        known = await keys.public_keys()
        yield _Opened(stores.ledger, tree, project_id, await tree.size(), signer, known)


async def _inclusion(
    settings: Settings, run_id: str, seq: int | None, under: Path | None
) -> tuple[Inclusion, PublicKeys]:
    from gateway.audit.log import proof_file

    async with _opened(settings) as log:
        seq, event = await _event(log, run_id, seq)
        index = await log.ledger.place(log.project_id, run_id, seq, bytes.fromhex(event.hash))
        at, note = await _noted(log, str(under) if under else None)
        if index is None or index >= at.size:
            text = f"The event is not in the log of {at.size:,} events."
            raise Failure(text, "ask again in a second, or name a later checkpoint", FOUND)
        return await proof_file.inclusion(log.tree, index, event.record, at.size, note), log.keys


async def _event(log: _Opened, run_id: str, wanted: int | None) -> tuple[int, StoredEvent]:
    last = await log.ledger.last_seq(log.project_id, run_id)
    seq = wanted or last
    found = await log.ledger.events(log.project_id, run_id, max(0, seq - 1), 1)
    if not found:
        text = f"{run_id} has {last:,} events."
        raise Failure(text, f"checkrein replay {run_id} lists them", ABSENT)
    return seq, found[-1]


async def _consistency(
    settings: Settings, old: str, new: str | None
) -> tuple[Consistency, PublicKeys]:
    from gateway.audit.log import proof_file

    async with _opened(settings) as log:
        before, noted = await _noted(log, old)
        now, note = await _noted(log, new)
        if before.size > now.size:
            text = f"The log of {before.size:,} events came after that of {now.size:,}."
            raise Failure(text, "name the earlier one first", USAGE)
        sizes = (before.size, now.size)
        return await proof_file.consistency(log.tree, sizes, noted, note), log.keys


async def _noted(log: _Opened, named: str | None) -> tuple[Checkpoint, bytes]:
    """A checkpoint by its file or its size, the log's own at that size, and its signed note."""
    from gateway.audit.log import checkpoint

    if named is None or named.isdecimal():
        size = log.size if named is None else int(named)
        if size > log.size:
            raise Failure(f"The log has {log.size:,} events.", "name a smaller size", ABSENT)
        now = await log.tree.checkpoint(size)
        return now, checkpoint.sign(now, log.signer)
    note = _bytes_of(Path(named))
    try:
        seen = checkpoint.read(note, log.tree.origin, log.keys)
    except checkpoint.NoteBroken as error:
        raise Failure(f"{named}: {error}.", "name a checkpoint of this log", FOUND) from error
    if seen.size > log.size or await log.tree.checkpoint(seen.size) != seen:
        text = f"The log does not go on from what was seen at {seen.size:,} events."
        raise Failure(text, "keep both: events were removed or changed since", FOUND)
    return seen, note


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror}."
        raise Failure(text, "name a checkpoint's file, or a size", ABSENT) from error


def _answer(
    screen: Screen, proof: Inclusion | Consistency, keys: PublicKeys, out: Path | None
) -> None:
    """Verify it as anybody will, then hand it over."""
    import msgspec

    from gateway.audit.log import proof_file

    data = proof_file.encode(proof)
    proven = proof_file.verify(data, keys)
    if out is not None:
        _write(out, data + b"\n")
    if screen.json:
        told: dict[str, Any] = {"proven": msgspec.to_builtins(proven), "out": out and str(out)}
        screen.answer({**told, "proof": msgspec.json.decode(data)})
    elif out is None:
        screen.say(data.decode())
    else:
        screen.say(f"{out}: {said_of(proven)}.")


def said_of(proven: Any) -> str:
    """What a proof shows, in a sentence without its end."""
    log = f"a log of {proven.size:,} events"
    if proven.kind == "inclusion":
        event = f"event {proven.seq:,} of {proven.run_id} ({proven.event_type})"
        return (
            f"{event}, recorded at {proven.recorded_at}, stands at place {proven.index:,} of {log}"
        )
    return f"{log} begins with the one of {proven.before:,}: nothing in it was changed or removed"


def _write(out: Path, data: bytes) -> None:
    try:
        with out.open("xb") as file:
            file.write(data)
    except OSError as error:
        text = f"{out} cannot be written: {error.strerror}."
        raise Failure(text, "name another with --out", FOUND) from error
