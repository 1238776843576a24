"""`checkrein export`: one run as evidence, from a gateway over HTTP or from the stores."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import rich_click as click

from gateway.cli import client, folder
from gateway.cli.answering import answering, data_option
from gateway.cli.failures import FOUND, Failure
from gateway.cli.record import mention, record
from gateway.cli.screen import Screen
from gateway.cli.settings import chosen

ZIP = ".zip"


@click.command()
@click.argument("run", metavar="RUN")
@click.option(
    "--out",
    metavar="DIR_OR_ZIP",
    type=click.Path(path_type=Path),
    help="A new folder, or a new file that ends in .zip. Default: RUN_ID.zip, here.",
)
@click.option("--no-content", is_flag=True, help="Evidence alone: leave out what people wrote.")
@data_option
@answering
def export(screen: Screen, run: str, out: Path | None, no_content: bool, data: str | None) -> None:
    """Write a run as evidence: summary, receipt, events, content, signature, how to verify.

    The same bytes each time. RUN is a run's id, or the name that its caller gave it.

    Example: checkrein export first-run --out evidence.zip
    """
    source = record(data)
    mention(screen, source)
    run_id: str = source.run(run)["run_id"]
    if data is None and os.environ.get("CHECKREIN_API_KEY"):
        files = _from_gateway(run_id, content=not no_content)
    else:
        files = _from_stores(run_id, data, content=not no_content)
    place = out or Path(f"{run_id}{ZIP}")
    digest = _written(place, files)
    signed = "SIGNATURE.json" in files
    if screen.json:
        told = {"run_id": run_id, "out": str(place), "files": sorted(files), "signed": signed}
        screen.answer({**told, "sha256": digest})
        return
    screen.say(f"{place}: {len(files):,} files{'' if digest is None else f', sha256 {digest}'}")
    if not signed:
        screen.progress("It is not signed: checkrein audit keys create, then export again.")


def _written(place: Path, files: dict[str, bytes]) -> str | None:
    """Write it; the digest of a zip, None of a folder."""
    from gateway.audit.bundle import container

    try:
        if place.suffix == ZIP:
            container.write_zip(place, files)
            return hashlib.sha256(container.zipped(files)).hexdigest()
        container.write_folder(place, files)
    except OSError as error:
        text = f"{place} cannot be written: {error.strerror or error}."
        raise Failure(text, "name another with --out", FOUND) from error
    return None


def _from_stores(run_id: str, data: str | None, *, content: bool) -> dict[str, bytes]:
    import asyncio

    from gateway.audit.bundle.assembling import assemble
    from gateway.audit.bundle.reading import take_run
    from gateway.audit.log.proving import prove
    from gateway.audit.log.tree import LogTree
    from gateway.audit.signing.keys import PURPOSE, SigningKeys
    from gateway.serving.collecting import collect_seldom

    collect_seldom()

    async def read() -> dict[str, bytes]:
        async with folder.record(chosen(data)) as stores:
            project_id = await stores.control.project(folder.PROJECT)
            secret = stores.keyring.run_secret
            keys = SigningKeys(stores.control, stores.keyring.derived(PURPOSE))
            taken = await take_run(stores.ledger, secret, project_id, run_id, content=content)
            erased = await stores.ledger.erased(project_id, run_id)
            signer, logged = await keys.signer(), None
            if signer is not None:
                tree = LogTree(stores.ledger, project_id)
                head = taken[-1]
                at = (project_id, run_id, head.event.seq, head.stored.hash)
                logged = await prove(stores.ledger, tree, *at, signer)
            return assemble(taken, signer, erased, logged)

    return asyncio.run(read())


def _from_gateway(run_id: str, *, content: bool) -> dict[str, bytes]:
    import base64

    from gateway.audit.bundle import container

    path = f"/v1/runs/{client.segment(run_id)}/export"
    answer = client.from_environment(60).get(path, {"content": str(content).lower()})
    return container.unzipped(base64.b64decode(answer["zip"]))
