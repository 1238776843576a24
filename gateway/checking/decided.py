"""From a judgement to everything that is appended for it, in one piece."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gateway.ambient import Ambient
from gateway.checking.case import Case
from gateway.checking.gathering import Framed
from gateway.checking.observed import observations, run_started
from gateway.domain import canonical
from gateway.domain import decision as decisions
from gateway.domain.events import ApprovalBody, ApprovalExpiredBody, DecisionBody, Draft, RuleWord
from gateway.domain.frame import STATE_UNKNOWN
from gateway.domain.instants import rfc3339
from gateway.domain.reply import ApprovalRef
from gateway.domain.ruleset import CounterReads, Reads
from gateway.domain.run_state import (
    APPROVALS_PENDING,
    APPROVALS_PENDING_MAX,
    RESERVATION_NS,
    ActionRecord,
    StateChange,
    change_of_approval,
    change_of_decision,
    change_of_expiry,
)
from gateway.domain.verdicts import STOPPING
from gateway.judging.judgement import Judgement
from gateway.storage.ports import Append

_encoder = msgspec.json.Encoder(order="sorted")


class Decided(Struct, frozen=True):
    """`append` makes the decision durable; the decision is the draft at `place` in it."""

    append: Append
    place: int
    approval: ApprovalRef | None


def decided(
    case: Case,
    framed: Framed,
    encoded: bytes,
    judgement: Judgement,
    ambient: Ambient,
    base_url: str,
) -> Decided:
    """The run's start where it begins, observations, the decision, and the approval it asks for.

    An approval that the action waited for ends before. Reservations are confirmed at the amount
    that would run; only a `block` or a `halt` that is enforced gives them back.
    """
    decision = judgement.decision
    frame = framed.frame
    drafts, changes = _before(case, framed, ambient)
    keeps = decision.enforced not in ("block", "halt") and frame.prior is None
    confirm = {c.key: c.reserve(decision.amount) for c in framed.covering} if keeps else {}
    asks = decision.enforced == "require_approval"
    approval_id = ambient.new_id("apr") if asks else None
    if framed.superseded is not None:
        withdrawn, withdrawn_change = _withdrawn(framed, framed.superseded, ambient)
        drafts.append(withdrawn)
        changes.append(withdrawn_change)
    place = len(drafts)
    event, change = _decision_event(case, framed, encoded, judgement, confirm, approval_id)
    drafts.append(event)
    changes.append(change)
    deadline_ns = int(frame.time.ns) + RESERVATION_NS
    approval = None
    if approval_id is not None:
        deadline_ns = int(frame.time.ns) + case.environment.approval_seconds * 1_000_000_000
        asked, asked_change = _approval_event(
            case, framed, judgement, approval_id, deadline_ns, ambient.new_id("evt")
        )
        drafts.append(asked)
        changes.append(asked_change)
        url = f"{base_url}/v1/approvals/{approval_id}"
        approval = ApprovalRef(approval_id, url, rfc3339(deadline_ns))
    append = Append(
        project_id=case.caller.project_id,
        environment=case.caller.environment,
        run_id=case.ids.run_id,
        drafts=tuple(drafts),
        changes=tuple(changes),
        user_id=case.run.user_id,
        parent_run_id=case.run.parent_run_id,
        # An id that the gateway has just made was used by nobody.
        action_id=case.ids.action_id if case.ids.given else None,
        expected_event=framed.expected_event,
        gathered_version=framed.version,
        gathered_generation=framed.generation,
        remembered=framed.remembered,
        allows=decision.enforced not in STOPPING,
        reads=(*framed.reads, *_room_to_ask(framed, asks)),
        reservation_id=case.ids.decision_id,
        confirm=confirm,
        confirm_deadline_ns=deadline_ns if confirm else 0,
        settle_action=framed.superseded.action_id if framed.superseded else None,
        release=framed.superseded.reservations if framed.superseded else {},
    )
    return Decided(append, place, approval)


def _room_to_ask(framed: Framed, asks: bool) -> tuple[tuple[Reads, bool], ...]:
    """What append checks again before a person is asked: calls that race share no last place."""
    if not asks:
        return ()
    plus = 0 if framed.superseded is not None else 1
    return ((CounterReads(APPROVALS_PENDING, plus, APPROVALS_PENDING_MAX), True),)


def _before(case: Case, framed: Framed, ambient: Ambient) -> tuple[list[Draft], list[StateChange]]:
    """What comes before the decision: the run's start, then the observations sent along."""
    now = framed.frame.time.rfc3339
    drafts, changes = observations(
        case.check.events,
        starts=framed.starts,
        now=now,
        ambient=ambient,
        caller=case.caller,
    )
    if framed.starts:
        start, change = run_started(
            case.run,
            external_id=case.ids.external_run,
            agent_id=case.agent_id,
            now=now,
            ambient=ambient,
        )
        drafts.insert(0, start)
        changes.insert(0, change)
    return drafts, changes


def _withdrawn(framed: Framed, asked: ActionRecord, ambient: Ambient) -> tuple[Draft, StateChange]:
    """The end of the approval that the action waited for until it was judged again."""
    assert asked.approval_id is not None
    body = ApprovalExpiredBody(
        approval_id=asked.approval_id,
        action_id=asked.action_id,
        decision_id=asked.decision_id,
        released=asked.reservations,
        superseded=True,
    )
    draft = Draft(
        id=ambient.new_id("evt"),
        type="approval_expired",
        occurred_at=framed.frame.time.rfc3339,
        recorded_at=framed.frame.time.rfc3339,
        actor="gateway",
        body=canonical.encode(body),
        turn_id=framed.frame.run.turn_id,
        action_id=asked.action_id,
    )
    return draft, change_of_expiry(body, asked)


def _decision_event(
    case: Case,
    framed: Framed,
    encoded: bytes,
    judgement: Judgement,
    reservations: dict[str, int],
    approval_id: str | None,
) -> tuple[Draft, StateChange]:
    """The decision event with its sealed parts, and what it changes in the run's state."""
    decision = judgement.decision
    frame = framed.frame
    body = DecisionBody(
        decision_id=case.ids.decision_id,
        action_id=case.ids.action_id,
        attempt=case.ids.attempt,
        tool=frame.action.tool,
        side_effects=frame.action.side_effects,
        verdict=decision.verdict,
        enforced=decision.enforced,
        mode=decision.mode,
        rules=[RuleWord(word.rule, word.effect, word.enforced) for word in decision.reasons],
        submitted_digest=frame.action.arguments_digest,
        arguments_digest=decision.arguments_digest,
        policy_digest=decision.policy_digest,
        policy_commit=case.ruleset.commit,
        engine=judgement.engine,
        decided_ns=frame.time.ns,
        likeness=case.likeness,
        amount=decision.amount,
        reservations=reservations,
        labels=_labels(case, framed, decision.enforced not in STOPPING),
        degraded=list(decision.degraded),
        waived=list(decision.waived),
        coverage=frame.coverage,
        approval_id=approval_id,
        call_id=case.check.action.call_id,
        mcp_client=frame.action.mcp_client,
        mcp_server=frame.action.mcp_server,
        schema_digest=frame.action.schema_digest,
        prior=frame.prior.status if frame.prior else None,
        rounds=decision.rounds,
        spooled=STATE_UNKNOWN in frame.coverage,
    )
    draft = Draft(
        id=case.ids.event_id,
        type="decision",
        occurred_at=frame.time.rfc3339,
        recorded_at=frame.time.rfc3339,
        actor="gateway",
        body=canonical.encode(body),
        content={
            "frame": encoded,
            "rounds": _encoder.encode(judgement.rounds),
            "decision": decisions.encode(decision),
        },
        turn_id=frame.run.turn_id,
        action_id=case.ids.action_id,
        parent_id=case.check.action.parent_id,
    )
    return draft, change_of_decision(body, case.ids.event_id)


def _approval_event(
    case: Case,
    framed: Framed,
    judgement: Judgement,
    approval_id: str,
    expires_ns: int,
    event_id: str,
) -> tuple[Draft, StateChange]:
    """The event that asks a person, bound to the arguments and the policy that were judged."""
    decision = judgement.decision
    body = ApprovalBody(
        approval_id=approval_id,
        action_id=case.ids.action_id,
        decision_id=case.ids.decision_id,
        tool=framed.frame.action.tool,
        arguments_digest=decision.arguments_digest,
        policy_digest=decision.policy_digest,
        rules=sorted({w.rule for w in decision.reasons if w.enforced == "require_approval"}),
        expires_ns=str(expires_ns),
    )
    draft = Draft(
        id=event_id,
        type="approval_requested",
        occurred_at=framed.frame.time.rfc3339,
        recorded_at=framed.frame.time.rfc3339,
        actor="gateway",
        body=canonical.encode(body),
        turn_id=framed.frame.run.turn_id,
        action_id=case.ids.action_id,
        parent_id=case.ids.event_id,
    )
    return draft, change_of_approval(body)


def _labels(case: Case, framed: Framed, through: bool) -> list[str]:
    """What the check brought, and what a call of this tool puts on the run when it goes through."""
    policy = case.ruleset.tool(case.action.tool)
    of_tool = policy.labels if policy is not None and through else ()
    return sorted({*framed.labels, *of_tool})
