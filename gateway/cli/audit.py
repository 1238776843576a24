"""`checkrein audit`: signing keys, and the verification of exports, which needs no gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.checkpoint import checkpoint
from gateway.cli.failures import ABSENT, FOUND, USAGE, Failure
from gateway.cli.folder import with_control
from gateway.cli.proofs import consistency, prove, said_of
from gateway.cli.screen import Screen
from gateway.cli.settings import chosen

if TYPE_CHECKING:
    from gateway.audit.bundle.findings import Checked
    from gateway.audit.log.proof_file import Proven
    from gateway.audit.signing.keys import SigningKey, SigningKeys
    from gateway.wiring.stores import ControlStores


@click.group(name="audit")
def audit() -> None:
    """Make signing keys, and verify what was exported."""


audit.add_command(checkpoint)
audit.add_command(prove)
audit.add_command(consistency)


@audit.group(name="keys")
def signing_keys() -> None:
    """The keys that sign exports and checkpoints. The newest one signs."""


@signing_keys.command()
@data_option
@answering
def create(screen: Screen, data: str | None) -> None:
    """Make the first signing key. Its private half never leaves the store, and is sealed there.

    Example: checkrein audit keys create > checkrein.pem
    """
    _made(screen, data, first=True)


@signing_keys.command()
@data_option
@answering
def rotate(screen: Screen, data: str | None) -> None:
    """Make a new signing key. What older ones signed still verifies under their public keys.

    Example: checkrein audit keys rotate >> checkrein.pem
    """
    _made(screen, data, first=False)


@signing_keys.command(name="list")
@click.option("--pem", is_flag=True, help="Write the public keys in PEM form and nothing else.")
@data_option
@answering
def list_(screen: Screen, pem: bool, data: str | None) -> None:
    """Every signing key, by its public half.

    Example: checkrein audit keys list --pem > checkrein.pem
    """

    async def work(stores: ControlStores) -> list[SigningKey]:
        return await _keys(stores).listed()

    found = [_as_dict(key) for key in with_control(chosen(data), work)]
    if screen.json:
        screen.answer(found)
    elif pem:
        screen.say("".join(_in_file(key) for key in found).rstrip())
    else:
        rows = [(key["key_id"], key["state"], key["created_at"][:16]) for key in found]
        screen.table(("key", "state", "created"), rows)


@signing_keys.command()
@click.argument("key", metavar="KEY")
@click.option(
    "--compromised-at",
    "at",
    metavar="TIME",
    required=True,
    help="When it fell into other hands, RFC 3339: what was recorded before still verifies.",
)
@data_option
@answering
def revoke(screen: Screen, key: str, at: str, data: str | None) -> None:
    """End a key that others may have. One that signs is replaced; give the new list to verifiers.

    Example: checkrein audit keys revoke 3f0c...e1 --compromised-at 2026-11-20T08:00:00Z
    """
    from gateway.ambient import SystemAmbient
    from gateway.audit.signing.keys import KeyExists, NoSigningKey

    since = _utc(at)

    async def work(stores: ControlStores) -> SigningKey:
        keys, ambient = _keys(stores), SystemAmbient()
        revoked = await keys.revoke(ambient, key, since)
        if await keys.signer() is None:
            await keys.rotate(ambient)
        return revoked

    try:
        revoked = _as_dict(with_control(chosen(data), work))
    except KeyExists as error:
        raise Failure(str(error), "checkrein audit keys list", FOUND) from error
    except NoSigningKey as error:
        raise Failure(str(error), "checkrein audit keys list", ABSENT) from error
    if screen.json:
        screen.answer(revoked)
        return
    screen.progress(f"Key {key} is revoked as of {since}. Give verifiers the list again:")
    screen.say("checkrein audit keys list --pem")


@audit.command()
@click.argument("export", metavar="FOLDER_OR_FILE", type=click.Path(path_type=Path))
@click.option(
    "--public-key",
    "public_key",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="Public keys in PEM form, from whoever runs the gateway.",
)
@click.option(
    "--artifacts",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Hash the files that the run made again; they are found here by name.",
)
@click.option(
    "--checkpoint",
    "held",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The checkpoint that your witness has: the file of a proof must speak of its log.",
)
@answering
def verify(
    screen: Screen, export: Path, public_key: Path, artifacts: Path | None, held: Path | None
) -> int:
    """Verify an export offline: signature, hash chain, receipt and content. Exits with 1 if not.

    A folder or a zip; or the file of one proof, as `audit prove` and `audit consistency` write it.
    Whoever signs could sign two histories: `--checkpoint` holds a proof against what you kept.

    Example: checkrein audit verify run.zip --public-key checkrein.pem
    """
    if _is_proof(export):
        return _tell_proven(screen, _proven(export, public_key, held), held)
    if held is not None:
        text = "An export holds its own checkpoint: --checkpoint goes with the file of one proof."
        raise Failure(text, "checkrein audit consistency OLD", USAGE)
    checked = _checked(export, public_key, artifacts)
    if screen.json:
        import msgspec

        screen.answer(msgspec.to_builtins(checked))
    else:
        _tell(screen, checked)
    return 0 if checked.ok else FOUND


def _checked(export: Path, public_key: Path, artifacts: Path | None) -> Checked:
    from gateway.audit.bundle import checking, container
    from gateway.audit.bundle.container import ContainerRefused
    from gateway.audit.signing import ed25519
    from gateway.serving.collecting import collect_seldom

    collect_seldom()

    try:
        given = public_key.read_bytes()
        keys, since = ed25519.from_pem(given), ed25519.compromised(given)
        if export.is_dir():
            files = container.read_folder(export)
            return checking.check_files(files, keys, artifacts, since)
        return checking.check_zip(export.read_bytes(), keys, artifacts, compromised=since)
    except OSError as error:
        text = f"{error.filename} cannot be read: {error.strerror}."
        raise Failure(text, "name a file that is there", ABSENT) from error
    except ed25519.KeyUnreadable as error:
        raise Failure(str(error), "checkrein audit keys list --pem", USAGE) from error
    except ContainerRefused as error:
        raise Failure(str(error), "ask for the export again", FOUND) from error


def _is_proof(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(1) == b"{"
    except OSError:
        return False


def _proven(path: Path, public_key: Path, held: Path | None) -> Proven | str:
    """What the proof shows, or why it shows nothing."""
    from gateway.audit.log import proof_file
    from gateway.audit.signing import ed25519

    try:
        given = public_key.read_bytes()
        keys, since = ed25519.from_pem(given), ed25519.compromised(given)
        with path.open("rb") as file:
            data = file.read(proof_file.FILE_BYTES_MAX + 1)
        if len(data) > proof_file.FILE_BYTES_MAX:
            return "the proof is too long"
        proven = proof_file.verify(data, keys, since)
        if held is not None:
            proof_file.hold(proven, held.read_bytes(), keys)
        return proven
    except OSError as error:
        text = f"{error.filename} cannot be read: {error.strerror}."
        raise Failure(text, "name a file that is there", ABSENT) from error
    except ed25519.KeyUnreadable as error:
        raise Failure(str(error), "checkrein audit keys list --pem", USAGE) from error
    except (proof_file.ProofWrong, proof_file.NoteBroken) as error:
        return str(error)


def _tell_proven(screen: Screen, proven: Proven | str, held: Path | None) -> int:
    if screen.json:
        import msgspec

        wrong = isinstance(proven, str)
        said = {"finding": proven} if wrong else {"proven": msgspec.to_builtins(proven)}
        screen.answer({"ok": not wrong, **said})
    elif isinstance(proven, str):
        screen.say(f"failed  {proven}.", "red")
    else:
        screen.say(f"ok  {said_of(proven)}.")
        screen.say(f"    The log is {proven.origin}, signed by {', '.join(proven.signed_by)}.")
        if held is not None:
            screen.say(f"    It is the log of {held}.")
        else:
            screen.say("    Hold it against what your witness has: --checkpoint FILE.")
        if proven.compromised_at:
            screen.say(f"    Its key was compromised at {proven.compromised_at}.", "yellow")
    return FOUND if isinstance(proven, str) else 0


def _tell(screen: Screen, checked: Checked) -> None:
    if checked.ok:
        said = f"{checked.events:,} events of {checked.run_id}, signed by {checked.signed_by}"
        screen.say(f"ok  {said}: nothing was changed.")
    else:
        screen.say(f"failed  {checked.finding_count:,} findings in this export.", "red")
        rows = [
            ("" if each.seq is None else str(each.seq), each.kind, each.place, each.detail)
            for each in checked.findings
        ]
        screen.table(("seq", "kind", "place", "what is wrong"), rows)
    if checked.compromised_at:
        screen.say(f"    Its key was compromised at {checked.compromised_at}.", "yellow")
    if checked.log_size is not None:
        screen.say(f"    The run is in its project's log of {checked.log_size:,} events.")
    if checked.erased:
        at, what = checked.erased.get("at"), checked.erased.get("what")
        screen.say(f"    Its content was erased at {at} (a {what}): the events still verify.")
    if checked.artifacts:
        screen.table(("artifact", "state"), sorted(checked.artifacts.items()))


def _made(screen: Screen, data: str | None, *, first: bool) -> None:
    from gateway.ambient import SystemAmbient
    from gateway.audit.signing.keys import KeyExists, NoSigningKey

    async def work(stores: ControlStores) -> SigningKey:
        keys = _keys(stores)
        return await (keys.create if first else keys.rotate)(SystemAmbient())

    try:
        key = _as_dict(with_control(chosen(data), work))
    except KeyExists as error:
        raise Failure(str(error), "checkrein audit keys rotate", FOUND) from error
    except NoSigningKey as error:
        raise Failure(str(error), "checkrein audit keys create", ABSENT) from error
    if screen.json:
        screen.answer(key)
        return
    screen.progress(f"Signing key {key['key_id']}: give this public key to whoever verifies.")
    screen.say(key["public_key"].rstrip())


def _keys(stores: ControlStores) -> SigningKeys:
    from gateway.audit.signing.keys import PURPOSE, SigningKeys
    from gateway.domain import sealing

    return SigningKeys(stores.control, sealing.derive(stores.master, PURPOSE))


def _in_file(key: dict[str, Any]) -> str:
    from gateway.audit.signing import ed25519

    said = key["compromised_at"]
    pem: str = key["public_key"]
    return pem if said is None else ed25519.statement(key["key_id"], said) + pem


def _utc(text: str) -> str:
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Failure(f"{text} is no time.", "--compromised-at 2026-11-20T08:00:00Z", USAGE)
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _as_dict(key: SigningKey) -> dict[str, Any]:
    from gateway.audit.signing import ed25519

    return {
        "key_id": key.key_id,
        "number": key.number,
        "state": "active" if key.active else "compromised" if key.compromised_at else "retired",
        "created_at": key.created_at,
        "public_key": ed25519.pem(key.public),
        "compromised_at": key.compromised_at,
    }
