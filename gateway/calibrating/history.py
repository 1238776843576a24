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
from gateway.domain.blobs import RunKeys
from gateway.domain.events import DecisionBody
from gateway.domain.verdicts import STOPPING
from gateway.replay.opening import OpenSecret, keys_of, open_event, read_event
from gateway.storage.ports import Ledger, RunFilter, StoredEvent

DECISIONS_MAX: Final = 5_000
RUNS_PAGE: Final = 200
# Of a longer run the newest events are read.
RUN_EVENTS_MAX: Final = 2_000
AT_ONCE: Final = 8

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
    decision_id: str
    label: str
    labeller: str


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
    """The newest `limit` judged calls of an environment, run by run.

    `known` tells whether the policy names a tool, `said_by` what a policy version said of
    calibration, which is taken back: history is calibrated from what the guard itself said. `now`
    is what counts at present, for the heads that calls which read are held to.
    """
    found: list[_Judged] = []
    before: tuple[str, str] | None = None
    wanted = RunFilter(environment=environment)
    while len(found) < limit:
        runs = await ledger.runs(project_id, wanted, before, RUNS_PAGE)
        for at in range(0, len(runs), AT_ONCE):
            some = [run["run_id"] for run in runs[at : at + AT_ONCE]]
            each = await asyncio.gather(
                *(_of_run(ledger, open_secret, project_id, run_id) for run_id in some)
            )
            found += [judged for calls in each for judged in calls]
            if len(found) >= limit:
                break
        if len(runs) < RUNS_PAGE:
            break
        before = (runs[-1]["started_at"], runs[-1]["run_id"])
    found.sort(key=lambda judged: (judged.at, judged.body.decision_id), reverse=True)
    return await _history(found[:limit], known, now, said_by)


class _Judged(Struct, frozen=True):
    at: str
    body: DecisionBody
    assessment: _Assessment | None
    erased: bool
    votes: tuple[Vote, ...]


async def _of_run(
    ledger: Ledger, open_secret: OpenSecret, project_id: str, run_id: str
) -> list[_Judged]:
    after = max(0, await ledger.last_seq(project_id, run_id) - RUN_EVENTS_MAX)
    stored = await ledger.events(project_id, run_id, after, RUN_EVENTS_MAX)
    stored = [each for each in stored if _tells(each)]
    wanted = {key for each in stored for key in _parts(each).values()}
    sealed = await ledger.blobs(project_id, run_id, sorted(wanted))
    keys = await keys_of(ledger, open_secret, project_id, run_id)
    # Unsealing is the gateway's own work: others go on meanwhile.
    return await asyncio.to_thread(_judged, stored, sealed, keys)


def _tells(stored: StoredEvent) -> bool:
    return read_event(stored).type in ("decision", "feedback")


def _parts(stored: StoredEvent) -> dict[str, str]:
    """The content that is looked at: of a frame what is left once an agent's words are cut out."""
    return {n: key for n, key in stored.blob_keys.items() if n in ("frame", "observation")}


def _judged(
    stored: Sequence[StoredEvent], sealed: Mapping[str, bytes], keys: RunKeys | None
) -> list[_Judged]:
    calls: dict[str, _Judged] = {}
    votes: dict[str, dict[str, Vote]] = {}
    for each in stored:
        trimmed = structs.replace(each, blob_keys=_parts(each))
        opened = open_event(trimmed, sealed, keys)
        event = opened.event
        if event.type == "feedback":
            # What an agent's SDK reports as feedback is a record, and teaches nothing.
            if event.actor == "person" and (vote := _vote(event.body, opened.content, event)):
                votes.setdefault(vote[0], {})[vote[1].labeller] = vote[1]
            continue
        body = _decisions.decode(event.body)
        if body.prior is None:
            frame = opened.content.get("frame")
            assessment = None if frame is None else _frames.decode(frame).assessment
            calls[body.decision_id] = _Judged(
                event.recorded_at, body, assessment, frame is None, ()
            )
    return [
        structs.replace(judged, votes=tuple(votes.get(name, {}).values()))
        for name, judged in calls.items()
    ]


def _vote(body: msgspec.Raw, content: Mapping[str, bytes], event: Any) -> tuple[str, Vote] | None:
    said = _said.decode(body)
    if said.label not in TRUTHS:
        return None
    words = _words.decode(content["observation"]) if "observation" in content else {}
    return said.decision_id, Vote(
        said.labeller, said.label, event.recorded_at, words.get("comment"), words.get("by")
    )


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
