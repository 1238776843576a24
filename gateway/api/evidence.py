"""A run as signed evidence, and the verification of evidence that somebody sends."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, structs

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import named_run, run_missing
from gateway.audit.bundle import checking, container
from gateway.audit.bundle.assembling import assemble
from gateway.audit.bundle.container import ContainerRefused
from gateway.audit.bundle.findings import Checked
from gateway.audit.bundle.reading import ExportRefused, take_run
from gateway.audit.log.proving import prove
from gateway.audit.signing import ed25519
from gateway.audit.signing.ed25519 import KeyUnreadable
from gateway.audit.signing.keys import PURPOSE, SigningKeys
from gateway.checking.limits import Limits
from gateway.errors import BadRequest, Conflict

# A run that is larger is exported by the command, from the stores.
EXPORT_BYTES: Final = 16 * 1024 * 1024
UPLOAD_BYTES: Final = 16 * 1024 * 1024
UPLOAD_LIMITS: Final = Limits(body_bytes=UPLOAD_BYTES * 4 // 3 + 128 * 1024)


class ExportQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """With `content=false`, evidence alone: what people and agents wrote is left out."""

    content: bool = True


class Export(Struct, frozen=True):
    """A zip in base64: `sha256` is of its bytes, `signed_by` null while there is no signing key."""

    run_id: str
    name: str
    zip: str
    sha256: str
    events: int
    signed_by: str | None


class Evidence(Struct, frozen=True, forbid_unknown_fields=True):
    """An export's zip in base64. Without `public_key`, in PEM form, this gateway's own keys count.

    An export of another gateway is verified with that one's public key.
    """

    zip: str
    public_key: Annotated[str, Meta(max_length=16_384)] | None = None


async def _export_run(parts: Parts, call: Call) -> Answer:
    query: ExportQuery = call.query
    project_id, run_id = call.caller.project_id, named_run(call)
    headers = await freshness.of_run(parts, project_id, run_id)
    try:
        taken = await take_run(
            parts.ledger,
            parts.keyring.run_secret,
            project_id,
            run_id,
            content=query.content,
            bytes_max=EXPORT_BYTES,
        )
    except ExportRefused as error:
        raise Conflict("export_refused", str(error)) from error
    if not taken:
        raise run_missing(headers)
    signer = await _keys(parts).signer()
    erased = await parts.ledger.erased(project_id, run_id)
    logged = None
    if signer is not None:
        tree, head = parts.logs.of(project_id), taken[-1]
        at = (project_id, run_id, head.event.seq, head.stored.hash)
        logged = await prove(parts.ledger, tree, *at, signer)

    def made() -> Export:
        data = container.zipped(assemble(taken, signer, erased, logged))
        return Export(
            run_id=run_id,
            name=f"{run_id}.zip",
            zip=base64.b64encode(data).decode(),
            sha256=hashlib.sha256(data).hexdigest(),
            events=len(taken),
            signed_by=None if signer is None else signer.key_id,
        )

    return Answer(await asyncio.to_thread(made), headers)


async def _verify(parts: Parts, call: Call) -> Answer:
    sent: Evidence = call.body
    keys, compromised = await _known(parts, sent.public_key)
    return Answer(await asyncio.to_thread(_checked, sent.zip, keys, compromised))


async def _known(parts: Parts, given: str | None) -> tuple[dict[str, bytes], dict[str, str]]:
    if given is None:
        return await _keys(parts).public_keys(), await _keys(parts).compromised()
    try:
        return ed25519.from_pem(given.encode()), ed25519.compromised(given.encode())
    except KeyUnreadable as error:
        raise BadRequest("bad_evidence", str(error), pointer="/public_key") from error


def _checked(zip: str, keys: dict[str, bytes], compromised: dict[str, str]) -> Checked:
    try:
        return checking.check_zip(
            base64.b64decode(zip, validate=True),
            keys,
            bytes_max=UPLOAD_BYTES,
            compromised=compromised,
        )
    except (binascii.Error, ValueError) as error:
        raise BadRequest("bad_evidence", "`zip` is not base64.", pointer="/zip") from error
    except ContainerRefused as error:
        raise BadRequest("bad_evidence", str(error), pointer="/zip") from error


def _keys(parts: Parts) -> SigningKeys:
    return SigningKeys(parts.control, parts.keyring.derived(PURPOSE))


EXPORT_RUN: Final = Endpoint(
    _export_run,
    Operation(
        id="exportRun",
        method="GET",
        path="/v1/runs/{run_id}/export",
        scope="read",
        summary="A run as signed evidence",
        description=(
            "A zip with a summary for people, a receipt, the events as they were recorded, their "
            "content, a signature, and how to verify it all without this gateway. The same run "
            "gives the same bytes. A record that does not verify is not exported."
        ),
        query=ExportQuery,
        reply=Export,
        problems=("run_not_found", "export_refused"),
    ),
)

_VERIFY: Final[dict[str, Any]] = {
    "method": "POST",
    "scope": "read",
    "summary": "Is this export what was recorded and signed?",
    "description": (
        "Works out signature, hash chain, receipt and content of an export again, and names the "
        "events that were touched. Nothing of it is kept, or looked up in the record."
    ),
    "body": Evidence,
    "reply": Checked,
    "problems": ("bad_evidence",),
    "limits": UPLOAD_LIMITS,
}

VERIFY_EXPORT: Final = Endpoint(
    _verify, Operation(id="verifyExport", path="/v1/audit/verify", **_VERIFY)
)
# The address under which others have it.
VERIFY_EXPORT_ALIAS: Final = Endpoint(
    _verify,
    structs.replace(VERIFY_EXPORT.operation, id="verifyExportAlias", path="/api/audit/verify"),
)
