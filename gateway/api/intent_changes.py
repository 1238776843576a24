"""What is to be changed of the Intent Guard: a proposal, and what was on trial made to count."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from gateway.api.endpoint import Answer, Call
from gateway.api.intent_history import (
    LIMIT,
    Budget,
    Considered,
    Newest,
    Read,
    SideEffect,
    Word,
    endpoint,
    history_of,
)
from gateway.api.parts import Parts
from gateway.calibrating import curve, proposal
from gateway.calibrating.current import (
    block_after,
    block_switched,
    block_with_shadow,
)
from gateway.calibrating.curve import Preview
from gateway.calibrating.proposal import Proposal
from gateway.calibrating.shadow import Trial, trial
from gateway.domain.instants import rfc3339


class CalibrateAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """The budget of false positives for a class of side effects."""

    environment: Word | UnsetType = UNSET
    side_effect: SideEffect = "*"
    budget: Budget = 0.05
    limit: Newest = LIMIT


class CalibrateReply(Struct, frozen=True):
    """The proposal, what it would have done, and `block`, which belongs in policy.yaml at
    `environments.<environment>.projects.<project_id>`. Nothing changes before it stands there.

    `shadow_block` puts the same on trial instead: it judges nothing, and is counted beside what
    does. It is made from what the policy version `policy_digest` says now.
    """

    considered: Considered
    project_id: str
    policy_digest: str | None
    side_effect: str
    proposal: Proposal
    preview: Preview | None
    preview_now: Preview | None
    block: dict[str, Any]
    changes: bool
    shadow_block: dict[str, Any] = {}


class SwitchAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """Which history counts."""

    environment: Word | UnsetType = UNSET
    limit: Newest = LIMIT


class SwitchReply(Struct, frozen=True):
    """How what is on trial did, null where nothing is, and the block that makes it count, which is
    given where nothing stands against it."""

    considered: Considered
    project_id: str
    policy_digest: str | None
    shadow: Trial | None
    block: dict[str, Any] | None


async def _calibrate(parts: Parts, call: Call) -> Answer:
    ask: CalibrateAsk = call.body
    read = await history_of(parts, call.caller, ask)
    at = rfc3339(parts.ambient.now_ns())
    return Answer(await asyncio.to_thread(_proposed, call.caller.project_id, ask, read, at))


async def _switch(parts: Parts, call: Call) -> Answer:
    ask: SwitchAsk = call.body
    read = await history_of(parts, call.caller, ask)
    now, block = read.now, None
    beside = None if now.shadow is None else trial(read.points, now, now.shadow)
    if now.shadow is not None and beside is not None and beside.ready:
        block = block_switched(now, now.shadow)
    project_id = call.caller.project_id
    return Answer(SwitchReply(read.considered, project_id, read.policy_digest, beside, block))


def _proposed(project_id: str, ask: CalibrateAsk, read: Read, at: str) -> CalibrateReply:
    now = read.now
    of_class = curve.of_effect(read.points, ask.side_effect, now.thresholds)
    base = now.base(ask.side_effect)
    found = proposal.propose(
        of_class, read.points, ask.budget, threshold=base, calibration=now.calibration
    )
    block = block_after(now, found, ask.side_effect)
    return CalibrateReply(
        considered=read.considered,
        project_id=project_id,
        policy_digest=read.policy_digest,
        side_effect=ask.side_effect,
        proposal=found,
        preview=None
        if found.threshold is None
        else curve.preview(of_class, found.threshold, found.calibration),
        preview_now=None
        if base is None
        else curve.preview(of_class, now.calibration.apply(base), now.calibration),
        block=block,
        shadow_block=block_with_shadow(now, block, at, ask.budget),
        changes=found.threshold is not None or found.calibration != now.calibration,
    )


INTENT_CALIBRATE: Final = endpoint(
    _calibrate,
    id="calibrateIntent",
    method="POST",
    path="/v1/intent/calibrate",
    summary="Propose a threshold and a calibration",
    description=(
        "A threshold that keeps a budget of false positives on the project's own history, and a "
        "calibration as far as its labels allow, both tried on the later labels. It changes "
        "nothing: the reply holds the block of policy.yaml that would."
    ),
    body=CalibrateAsk,
    reply=CalibrateReply,
)


INTENT_SWITCH: Final = endpoint(
    _switch,
    id="switchIntent",
    method="POST",
    path="/v1/intent/switch",
    summary="Propose to let what is on trial count",
    description=(
        "How the thresholds and the calibration under `shadow` in policy.yaml would have judged "
        "the decisions since they stand there, beside those that did. Where the labels of these "
        "decisions do not speak against it, the reply holds the block that lets them count. It "
        "changes nothing by itself."
    ),
    body=SwitchAsk,
    reply=SwitchReply,
)
