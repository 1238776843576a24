"""Health: is the process alive, and can it decide."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.policies import active_ruleset
from gateway.errors import StorageFailure, Unavailable

# Without checks nobody learns that the journal is back: after this long it is tried again.
TRY_AGAIN_SECONDS: Final = 5.0


class Alive(Struct, frozen=True):
    """The process answers."""

    alive: bool = True


class Ready(Struct, frozen=True):
    """The gateway decides, by the policy of this digest. `waiting` events are not yet persisted,
    null while the journal is away. `spooled` decisions are not yet in the journal."""

    policy: str
    waiting: int | None
    ready: bool = True
    spooled: int = 0


async def _alive(_parts: Parts, _call: Call) -> Answer:
    return Answer(Alive())


async def _ready(parts: Parts, _call: Call) -> Answer:
    if parts.stopping():
        raise Unavailable("unavailable", "The gateway is stopping.", retry_after=1)
    ruleset = active_ruleset(parts)
    failed_at = parts.last_append.failed_at
    if failed_at is not None and parts.ambient.monotonic() < failed_at + TRY_AGAIN_SECONDS:
        raise _no_journal("The last decision could not be recorded.")
    outage = parts.checker.outage
    waiting: int | None = None
    try:
        waiting = (await parts.journal.figures()).waiting
    except StorageFailure as failure:
        # Callers whose environment spools are answered, and would find nobody otherwise.
        if not outage.spooling:
            raise _no_journal("The journal cannot be read.") from failure
    return Answer(Ready(ruleset.digest, waiting, spooled=len(outage.waiting)))


def _no_journal(detail: str) -> Unavailable:
    return Unavailable("journal_unavailable", detail, retry_after=1)


LIVE: Final = Endpoint(
    _alive,
    Operation(
        id="livez",
        method="GET",
        path="/livez",
        scope=None,
        summary="Is the process alive?",
        description="Restart it when this does not answer.",
        reply=Alive,
    ),
)

READY: Final = Endpoint(
    _ready,
    Operation(
        id="readyz",
        method="GET",
        path="/readyz",
        scope=None,
        summary="Can the gateway decide?",
        description=(
            "While this is 503, it cannot: no policy, no journal, or it is stopping. A gateway that"
            " answered its last check from the spool is ready; one that refused it is not."
        ),
        reply=Ready,
        problems=("policy_unavailable", "journal_unavailable", "unavailable"),
    ),
)
