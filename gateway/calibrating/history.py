"""A project's history for calibration: its newest judged calls with their scores and labels.

Only what the record holds: the score from the decision's frame, the labels from the events that
people added to its run. A run that was erased has no scores any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from gateway.calibrating.current import Current
from gateway.calibrating.platt import IDENTITY
from gateway.calibrating.points import TRUTHS, Point, Vote, only_reads
from gateway.domain.blobs import RunKeys, run_keys
from gateway.domain.events import DecisionBody
from gateway.domain.sealing import SealBroken
from gateway.domain.verdicts import STOPPING
from gateway.replay.opening import Opened, OpenSecret, open_event
from gateway.storage.ports import Found, Ledger

DECISIONS_MAX: Final = 5_000
PAGE: Final = 1_000
# Of what was said in one run the newest is read.
RUN_FEEDBACK_MAX: Final = 2_000

SaidBy = Callable[[str], Awaitable[Current]]


class History(Struct, frozen=True):
    """`points` are newest first, all of one `version` of the Intent Guard: the newest.

    Left out, and counted: calls that it did not assess, or that have no score for want of a
    request and a plan; calls that another version assessed, whose scores mean something else; and
    calls whose content is gone.
    """

    points: tuple[Point, ...]
    version: str | None
    decisions: int
    unscored: int
    other_versions: int
    erased: int


class _Assessment(Struct, frozen=True):
    score: float | None = None
    version: str = ""
    heads: dict[str, float | None] = {}
    raw: dict[str, float | None] = {}
    coverage: dict[str, Any] = {}


class _Frame(Struct, frozen=True):
    assessment: _Assessment | None = None


class _Said(Struct, frozen=True):
    """A label's evidence. What an SDK reports holds its label among the sealed words."""

    decision_id: str = ""
    labeller: str = ""
    label: str = ""


_decisions: Final = msgspec.json.Decoder(DecisionBody)
_frames: Final = msgspec.json.Decoder(_Frame)
_said: Final = msgspec.json.Decoder(_Said)
_words: Final = msgspec.json.Decoder(dict[str, Any])


async def read(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    environment: str,
    *,
    limit: int,
    known: Callable[[str], bool],
    now: Current,
    said_by: SaidBy,
) -> History:
    """The newest `limit` judged calls of an environment, page by page over all runs.

    `known` tells whether the policy names a tool, `said_by` what a policy version said of
    calibration, which is taken back: history is calibrated from what the guard itself said. `now`
    is what counts at present, for the heads that calls which read are held to.
    """
    found: list[_Judged] = []
    votes: dict[tuple[str, str], dict[str, Vote]] = {}
    before: tuple[str, str] | None = None
    heard: set[str] = set()
    keys = _Keys(open_secret, project_id)
    while len(found) < limit:
        page = await ledger.decisions(project_id, environment, before, PAGE)
        new = list(dict.fromkeys(each.run_id for each in page if each.run_id not in heard))
        heard.update(new)
        said = await ledger.feedback(project_id, new, RUN_FEEDBACK_MAX) if new else ()
        opened = await keys.of((*page, *said))
        # Unsealing is the gateway's own work: others go on meanwhile.
        found += await asyncio.to_thread(_judged, page, opened)
        await asyncio.to_thread(_hear, said, opened, votes)
        if len(page) < PAGE:
            break
        before = page[-1].cursor
    found = [
        structs.replace(
            judged, votes=tuple(votes.get((judged.run_id, judged.body.decision_id), {}).values())
        )
        for judged in found[:limit]
    ]
    return await _history(found, known, now, said_by)


class _Judged(Struct, frozen=True):
    run_id: str
    at: str
    body: DecisionBody
    assessment: _Assessment | None
    erased: bool
    votes: tuple[Vote, ...]


class _Keys:
    """The keys of many runs, each secret unwrapped once."""

    def __init__(self, open_secret: OpenSecret, project_id: str) -> None:
        self._open_secret = open_secret
        self._project_id = project_id

    async def of(self, found: Sequence[Found]) -> dict[str, RunKeys | None]:
        wrapped = {each.run_id: each.wrapped for each in found}
        return {run_id: await self._of(secret) for run_id, secret in wrapped.items()}

    async def _of(self, wrapped: bytes | None) -> RunKeys | None:
        if wrapped is None:
            return None
        try:
            return run_keys(await self._open_secret(self._project_id, wrapped))
        except SealBroken:
            return None


def _opened(each: Found, part: str, keys: RunKeys | None) -> Opened:
    """The event with this part alone: of a frame what is left once an agent's words are cut out."""
    key = each.stored.blob_keys.get(part)
    trimmed = structs.replace(each.stored, blob_keys={} if key is None else {part: key})
    return open_event(trimmed, each.sealed, keys)


def _judged(page: Sequence[Found], keys: Mapping[str, RunKeys | None]) -> list[_Judged]:
    found = []
    for each in page:
        opened = _opened(each, "frame", keys[each.run_id])
        body = _decisions.decode(opened.event.body)
        if body.prior is None:
            frame = opened.content.get("frame")
            assessment = None if frame is None else _frames.decode(frame).assessment
            at = opened.event.recorded_at
            found.append(_Judged(each.run_id, at, body, assessment, frame is None, ()))
    return found


def _hear(
    said: Sequence[Found],
    keys: Mapping[str, RunKeys | None],
    votes: dict[tuple[str, str], dict[str, Vote]],
) -> None:
    """Whose latest word on which decision of the run was what."""
    for each in said:
        opened = _opened(each, "observation", keys[each.run_id])
        told = _said.decode(opened.event.body)
        vote = _vote(told, opened)
        if vote is not None:
            votes.setdefault((each.run_id, told.decision_id), {})[vote.labeller] = vote


def _vote(told: _Said, opened: Opened) -> Vote | None:
    """None where it says nothing: no word that counts, or nobody whose word it is."""
    held = opened.content.get("observation")
    words = {} if held is None else _words.decode(held)
    # The gateway writes the labeller: a key that is bound to an agent is never one.
    label = told.label if opened.event.actor == "person" else words.get("label")
    if label not in TRUTHS or not told.labeller:
        return None
    at = opened.event.recorded_at
    return Vote(told.labeller, label, at, words.get("comment"), words.get("by"))


async def _history(
    found: Sequence[_Judged], known: Callable[[str], bool], now: Current, said_by: SaidBy
) -> History:
    scored = [j for j in found if j.assessment is not None and j.assessment.score is not None]
    version = scored[0].assessment.version if scored and scored[0].assessment else None
    points = [
        _point(judged, judged.assessment, known, now, await said_by(judged.body.policy_digest))
        for judged in scored
        if judged.assessment is not None and judged.assessment.version == version
    ]
    erased = sum(judged.erased for judged in found)
    return History(
        points=tuple(points),
        version=version,
        decisions=len(found),
        unscored=len(found) - len(scored) - erased,
        other_versions=len(scored) - len(points),
        erased=erased,
    )


def _point(
    judged: _Judged,
    assessment: _Assessment,
    known: Callable[[str], bool],
    now: Current,
    applied: Current,
) -> Point:
    body = judged.body
    return Point(
        decision_id=body.decision_id,
        at=judged.at,
        tool=body.tool,
        side_effects=tuple(body.side_effects),
        base=applied.calibration.undo(assessment.score or 0.0),
        version=assessment.version,
        stopped=body.enforced in STOPPING,
        known=known(body.tool),
        request=bool(assessment.coverage.get("request")),
        plan=assessment.coverage.get("plan", "none") != "none",
        raw={head: value for head, value in assessment.raw.items() if value is not None},
        held=_held(assessment.heads, now, applied) if only_reads(body.side_effects) else None,
        votes=judged.votes,
    )


def _held(heads: Mapping[str, float | None], now: Current, then: Current) -> float:
    """What a call that only reads is held to under the calibration of heads that counts now."""
    chances = [0.0]
    for name in ("plan", "attribution"):
        chance, was, is_ = heads.get(name), then.heads.get(name), now.heads.get(name)
        if chance is not None:
            same = was == is_
            chances.append(
                chance if same else (is_ or IDENTITY).apply((was or IDENTITY).undo(chance))
            )
    return max(chances)
