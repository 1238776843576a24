"""Verification of an export, offline: its files, and the public keys of whoever should have signed.

Everything is worked out again. Nothing that an export says about itself is believed before the
signature holds, and what is touched is named as closely as it can be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from gateway.audit.bundle import artifacts, container, names, receipt
from gateway.audit.bundle.events_check import Read, read_events
from gateway.audit.bundle.findings import Checked, Findings
from gateway.audit.bundle.openings_check import shown_content
from gateway.audit.bundle.receipt import Told
from gateway.audit.log import proving
from gateway.audit.log.checkpoint import NoteBroken
from gateway.audit.log.merkle import ProofWrong
from gateway.audit.signing import dsse
from gateway.audit.signing.dsse import EnvelopeBroken
from gateway.audit.signing.ed25519 import Compromised, PublicKeys

Json = dict[str, Any]
NONE: Compromised = {}


def check_zip(
    data: bytes,
    keys: PublicKeys,
    artifacts_in: Path | None = None,
    bytes_max: int = names.BYTES_MAX,
    compromised: Compromised = NONE,
) -> Checked:
    """Verify a zip. Raises ContainerRefused when it is no export at all.

    A key that was `compromised` vouches for what was recorded before, and for nothing since.
    """
    files = container.unzipped(data, bytes_max)
    findings = Findings()
    checked = _check(files, keys, artifacts_in, findings, compromised)
    if not container.is_plain(data, files):
        findings.add("container", "zip", "is not the zip that an export of these files is")
        return _outcome(findings, checked)
    return checked


def check_files(
    files: Mapping[str, bytes],
    keys: PublicKeys,
    artifacts_in: Path | None = None,
    compromised: Compromised = NONE,
) -> Checked:
    """Verify the files of an export, by their names."""
    return _check(files, keys, artifacts_in, Findings(), compromised)


def _check(
    files: Mapping[str, bytes],
    keys: PublicKeys,
    artifacts_in: Path | None,
    findings: Findings,
    compromised: Compromised,
) -> Checked:
    signed_by = _signature(files, keys, findings)
    claimed = _claimed(files, findings)
    listed = receipt.listing(files)
    _files(files, listed, claimed, findings)
    read = read_events(files.get(names.REPLAY, b""), _hashes(claimed), findings)
    told: list[Told] = []
    if read and all(each.event is not None for each in read):
        told = _told(read, files, listed, findings)
        _receipt(files, listed, claimed, told, signed_by, findings)
    elif not read:
        findings.add("container", names.REPLAY, "holds no events")
    since = compromised.get(signed_by or "")
    if since is not None:
        _in_time(told, since, findings)
    logged = _log(files, told, keys, findings)
    hashed = artifacts.check(claimed, artifacts_in, findings) if artifacts_in else {}
    run_id = told[0].event.run_id if told else None
    found = Checked(
        False, run_id, len(read), signed_by, 0, (), hashed, erased_of(claimed), logged, since
    )
    return _outcome(findings, found)


def _outcome(findings: Findings, found: Checked) -> Checked:
    return msgspec.structs.replace(
        found,
        ok=findings.count == 0,
        finding_count=findings.count,
        findings=tuple(findings.named),
    )


def _signature(files: Mapping[str, bytes], keys: PublicKeys, findings: Findings) -> str | None:
    envelope = files.get(names.SIGNATURE)
    if envelope is None:
        findings.add("signature", names.SIGNATURE, "is absent: nobody vouches for this export")
        return None
    try:
        sealed = dsse.open_envelope(envelope, keys)
    except EnvelopeBroken as error:
        findings.add("signature", names.SIGNATURE, str(error))
        return None
    if sealed.kind != names.PAYLOAD_TYPE:
        findings.add("signature", names.SIGNATURE, "signs another kind of document")
        return None
    if sealed.payload != files.get(names.RECEIPT):
        findings.add("signature", names.RECEIPT, "is not the receipt that was signed")
    return sealed.key_id


def _claimed(files: Mapping[str, bytes], findings: Findings) -> Json:
    """What the receipt says; nothing where it cannot be read."""
    try:
        found = msgspec.json.decode(files.get(names.RECEIPT, b""), type=Json)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        findings.add("receipt", names.RECEIPT, f"cannot be read: {error}")
        return {}
    if found.get("schema") != names.SCHEMA or found.get("version") != names.VERSION:
        findings.add("receipt", names.RECEIPT, "is of a schema or version this release knows not")
    return found


def erased_of(claimed: Json) -> Json | None:
    """What the receipt says of an erasure: the one thing in it that events do not show."""
    content = claimed.get("content")
    erased = content.get("erased") if isinstance(content, dict) else None
    return erased if isinstance(erased, dict) else None


def _hashes(claimed: Json) -> list[str]:
    """The hashes of the events as the receipt lists them."""
    chained = claimed.get("chain")
    listed = chained.get("hashes") if isinstance(chained, dict) else None
    if not isinstance(listed, list):
        return []
    return [each if isinstance(each, str) else "" for each in listed]


def _files(files: Mapping[str, bytes], listed: Json, claimed: Json, findings: Findings) -> None:
    said = claimed.get("files")
    said = said if isinstance(said, dict) else {}
    for name in sorted({*said, *names.ALWAYS} - files.keys()):
        findings.add("container", name[:100], "is absent")
    if said == listed:
        return
    for name in sorted(listed):
        if said.get(name) != listed[name]:
            findings.add("file", name, "has other bytes than the receipt lists")


def _told(
    read: list[Read], files: Mapping[str, bytes], listed: Json, findings: Findings
) -> list[Told]:
    known = [each.event for each in read if each.event is not None]
    shown = shown_content(files, listed, known, findings)
    return [
        Told(event, each.hash, shown.get((event.epoch, event.seq), {}))
        for each, event in zip(read, known, strict=True)
    ]


def _in_time(told: list[Told], since: str, findings: Findings) -> None:
    """Every event must be from before its key was compromised. Whoever has the key can write any
    time, so only a checkpoint that a witness saw before proves it; this finds the careless."""
    last = max((each.event.recorded_at for each in told), default=None)
    if last is None or _instant(last) >= _instant(since):
        detail = f"was made with a key that was compromised at {since}"
        findings.add("signature", names.SIGNATURE, detail)


def _instant(text: str) -> str:
    """Times in UTC compare as text once they have the same number of digits."""
    whole, _, part = text.removesuffix("Z").partition(".")
    return f"{whole}.{part:0<9}"


def _log(
    files: Mapping[str, bytes], told: list[Told], keys: PublicKeys, findings: Findings
) -> int | None:
    """The size of the log that holds the run, None where the export does not say."""
    if names.LOG not in files or not told:
        return None
    last = told[-1]
    try:
        return proving.check(files[names.LOG], last.event.project_id, last.hash, keys).size
    except (ProofWrong, NoteBroken) as error:
        findings.add("log", names.LOG, str(error))
        return None


def _receipt(
    files: Mapping[str, bytes],
    listed: Json,
    claimed: Json,
    told: list[Told],
    signed_by: str | None,
    findings: Findings,
) -> None:
    """The receipt must be what follows from the events, to the byte, and name who signed it."""
    signature = claimed.get("signature")
    named = signature.get("key_id") if isinstance(signature, dict) else None
    key_id = signed_by or named
    try:
        wanted = receipt.with_files(receipt.of_run(told, erased_of(claimed)), listed, key_id)
    except (msgspec.MsgspecError, AttributeError, TypeError, ValueError) as error:
        findings.add("receipt", names.RECEIPT, f"does not follow from these events: {error}")
        return
    if receipt.encode(wanted) == files.get(names.RECEIPT):
        return
    again = msgspec.json.decode(receipt.encode(wanted))
    places = sorted(name for name in {*again, *claimed} if again.get(name) != claimed.get(name))
    said = ", ".join(f"/{name[:40]}" for name in places[:10]) or "how it is written"
    findings.add("receipt", names.RECEIPT, f"says other than the events do, in {said}")
