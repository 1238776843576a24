"""Erasure of what a run, a person or a project wrote: said first, done when confirmed."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.audit.erasing import Eraser, Target
from gateway.domain.run_ids import run_id_of
from gateway.errors import NotFound
from gateway.storage.ports import ErasedWhat


class Erase(Struct, frozen=True, forbid_unknown_fields=True):
    """A run by its id or the caller's own name for it, a `subject` by its `user_id`, or the key's
    own project by its id. Without `confirm` nothing is done: the answer says what would be lost.
    """

    what: ErasedWhat
    id: Annotated[str, Meta(min_length=1, max_length=256)]
    confirm: bool = False


class Erasure(Struct, frozen=True):
    """What is lost, or would be. `runs` names the first of them; runs erased before do not count.

    `remains` says which files of the stores still hold what was destroyed, and until when.
    """

    what: ErasedWhat
    id: str
    done: bool
    run_count: int
    event_count: int
    runs: list[str]
    first_started_at: str | None
    last_at: str | None
    remains: list[str]


async def _erase(parts: Parts, call: Call) -> Answer:
    asked: Erase = call.body
    target = _target(call, asked)
    eraser = Eraser(parts.ledger, parts.journal, parts.control, parts.keyring, parts.ambient)
    if target.what == "run" and await parts.ledger.run(target.project_id, target.id) is None:
        raise NotFound("run_not_found", "No run of this id in this project.")
    extent = await eraser.extent(target)
    remains = await eraser.erase(target, call.caller.key_id) if asked.confirm else []
    return Answer(
        Erasure(
            what=target.what,
            id=target.id,
            done=asked.confirm,
            run_count=extent.run_count,
            event_count=extent.event_count,
            runs=extent.runs,
            first_started_at=extent.first_started_at,
            last_at=extent.last_at,
            remains=remains,
        )
    )


def _target(call: Call, asked: Erase) -> Target:
    caller = call.caller
    if asked.what == "run":
        run_id = run_id_of(caller.project_id, caller.environment, asked.id)
        return Target(caller.project_id, "run", run_id)
    if asked.what == "project" and asked.id != caller.project_id:
        detail = f"This key is of project {caller.project_id}: name it to have it erased."
        raise NotFound("not_found", detail)
    return Target(caller.project_id, asked.what, asked.id)


ERASE: Final = Endpoint(
    _erase,
    Operation(
        id="erase",
        method="POST",
        path="/v1/erasures",
        scope="admin",
        summary="Erase what a run, a person or a project wrote",
        description=(
            "Destroys the keys of the content, for good. Events, hash chain and log stay: exports "
            "and proofs still verify, and say that and when the content was erased. Nothing can "
            "be added to a run that was erased."
        ),
        body=Erase,
        reply=Erasure,
        problems=("run_not_found", "not_found"),
    ),
)
