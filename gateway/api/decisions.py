"""A decision whole: what was seen, what rules said, what was decided, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.domain.decision import Decision
from gateway.domain.events import DecisionBody, Event, ResultBody
from gateway.domain.reply import PolicyRef
from gateway.domain.rule_results import Round
from gateway.errors import NotFound, Unavailable
from gateway.replay.opening import Opened, keys_of, open_event, read_event
from gateway.storage.ports import StoredEvent

PAGE: Final = 500

_body: Final = msgspec.json.Decoder(DecisionBody)
_rounds: Final = msgspec.json.Decoder(list[Round])
_decision: Final = msgspec.json.Decoder(Decision)
_result: Final = msgspec.json.Decoder(ResultBody)
_any: Final = msgspec.json.Decoder()


class Outcome(Struct, frozen=True):
    """The result that was reported, as the event at `seq` of the run."""

    seq: int
    recorded_at: str
    evidence: ResultBody
    output: Any = None
    error: Any = None


class Snapshot(Struct, frozen=True):
    """A decision, its evidence and its content. `hash` is the event's place in the run's chain.

    `evidence` is what the chain covers. `frame` is what rules saw as `input`, `rounds` what each of
    them said. Content that is gone with its key is null, and named in `erased`; content that was
    changed, in `broken`.
    """

    decision_id: str
    run_id: str
    action_id: str
    seq: int
    environment: str
    recorded_at: str
    hash: str
    prev_hash: str
    policy: PolicyRef
    evidence: DecisionBody
    frame: dict[str, Any] | None
    rounds: list[Round] | None
    decision: Decision | None
    erased: list[str]
    broken: list[str]
    result: Outcome | None


async def _get_decision(parts: Parts, call: Call) -> Answer:
    project_id, decision_id = call.caller.project_id, call.path["decision_id"]

    async def find() -> StoredEvent | None:
        return await parts.ledger.event_by_decision(project_id, decision_id)

    headers: dict[str, str] = {}
    known = await parts.journal.find_action(project_id, decision_id)
    if known is not None:
        # What the run holds besides the decision, its result say, is to be read too.
        headers = await freshness.of_run(parts, project_id, known[0])
        stored = await find()
    else:
        stored = await freshness.soon(parts, decision_id, find)
    if stored is None and known is not None:
        detail = "The decision is on its way into the record."
        raise Unavailable("decision_not_ready", detail, retry_after=1)
    if stored is None:
        raise NotFound("decision_not_found", "No decision of this id in this project.")
    return Answer(await _snapshot(parts, stored), headers)


async def _snapshot(parts: Parts, stored: StoredEvent) -> Snapshot:
    opened = await _open(parts, stored)
    event, content = opened.event, opened.content
    body = _body.decode(event.body)
    return Snapshot(
        decision_id=body.decision_id,
        run_id=event.run_id,
        action_id=body.action_id,
        seq=event.seq,
        environment=event.environment,
        recorded_at=event.recorded_at,
        hash=stored.hash,
        prev_hash=event.prev_hash,
        policy=PolicyRef(body.policy_digest, body.policy_commit),
        evidence=body,
        frame=_value(_any, content, "frame"),
        rounds=_value(_rounds, content, "rounds"),
        decision=_value(_decision, content, "decision"),
        erased=opened.erased,
        broken=opened.broken,
        result=await _outcome(parts, event, body.decision_id),
    )


async def _outcome(parts: Parts, decision: Event, decision_id: str) -> Outcome | None:
    """The first result after the decision; a later, different one is a conflict and no result."""
    after = decision.seq
    while True:
        page = await parts.ledger.events(decision.project_id, decision.run_id, after, PAGE)
        for stored in page:
            event = read_event(stored)
            after = event.seq
            if event.type == "result":
                evidence = _result.decode(event.body)
                if evidence.decision_id == decision_id:
                    return _outcome_of(await _open(parts, stored), evidence)
        if len(page) < PAGE:
            return None


def _outcome_of(opened: Opened, evidence: ResultBody) -> Outcome:
    return Outcome(
        seq=opened.event.seq,
        recorded_at=opened.event.recorded_at,
        evidence=evidence,
        output=_value(_any, opened.content, "output"),
        error=_value(_any, opened.content, "error"),
    )


async def _open(parts: Parts, stored: StoredEvent) -> Opened:
    event = read_event(stored)
    place = (event.project_id, event.run_id)
    keys = await keys_of(parts.ledger, parts.keyring.run_secret, *place)
    sealed = await parts.ledger.blobs(*place, sorted(set(stored.blob_keys.values())))
    return open_event(stored, sealed, keys)


def _value(decoder: msgspec.json.Decoder[Any], content: Mapping[str, bytes], part: str) -> Any:
    return decoder.decode(content[part]) if part in content else None


GET_DECISION: Final = Endpoint(
    _get_decision,
    Operation(
        id="getDecision",
        method="GET",
        path="/v1/decisions/{decision_id}",
        scope="read",
        summary="A decision, whole",
        description=(
            "The snapshot that was taken when the call was judged: everything that rules saw, what "
            "each of them said, the decision, the policy version, and the result where one came."
        ),
        reply=Snapshot,
        problems=("decision_not_found", "decision_not_ready"),
    ),
)
