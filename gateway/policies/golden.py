"""Golden cases: a check, the state it meets, and the decision that must come out.

They go the same way as a live check, so a case that passes here is a decision that will be made.
They are the policy's tests, and the canary before a changed policy becomes active.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.domain import frame as frames
from gateway.domain.check import ActionCheck
from gateway.domain.decision import Decision
from gateway.domain.frame import Frame, FrameApproval, FramePrior, FrameState
from gateway.domain.ruleset import Ruleset
from gateway.domain.verdicts import Verdict
from gateway.engines.port import Engine
from gateway.judging import framing
from gateway.judging.judgement import Judgement, judge_frame
from gateway.policies import shapes, yaml_text
from gateway.policies.yaml_text import YamlRefused

CASES_MAX = 2_000
# What a busy machine can cause; a rule that is too slow or crashes does so each time.
FLEETING = frozenset({"timeout", "crash", "unavailable"})
TRIES = 3
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ExpectedReason(Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule must have said; what is not given is not compared."""

    rule: str
    effect: Verdict | None = None
    enforced: Verdict | None = None
    fields: tuple[str, ...] | None = None


class Expected(Struct, frozen=True, forbid_unknown_fields=True):
    """The decision. `reasons` are all rules that have a word in it, in any order."""

    verdict: Verdict
    enforced: Verdict | None = None
    reasons: tuple[str | ExpectedReason, ...] | None = None
    arguments: dict[str, Any] | UnsetType | None = UNSET


class GoldenCase(Struct, frozen=True, forbid_unknown_fields=True):
    """A case as written. `time` is RFC 3339; `state` are the parts that differ from a new run."""

    about: Annotated[str, Meta(min_length=1)]
    check: ActionCheck
    expect: Expected
    environment: str = "production"
    time: str = "2026-11-20T12:00:00Z"
    state: FrameState = FrameState()
    prior: FramePrior | None = None
    approvals: list[FrameApproval] = []
    assessment: dict[str, Any] | None = None


class Located(Struct, frozen=True):
    """A case and where it stands: `packs/payments/cases/plan_mismatch.yaml:12`."""

    place: str
    case: GoldenCase


class Outcome(Struct, frozen=True):
    """How one test went; `details` are lines for a person when it failed."""

    name: str
    passed: bool
    details: tuple[str, ...] = ()


def is_case_file(path: str) -> bool:
    """`cases/*.yaml`, and the same in any pack."""
    return path.endswith(".yaml") and PurePosixPath(path).parent.name == "cases"


def read(files: Mapping[str, str]) -> tuple[list[Located], list[str]]:
    """All cases in order of their files, and a finding for each that cannot be read."""
    found: list[Located] = []
    findings: list[str] = []
    for path in sorted(filter(is_case_file, files)):
        try:
            document = yaml_text.parse(files[path])
        except YamlRefused as refused:
            findings.append(f"{path}:{refused.line}: {refused.text}")
            continue
        many = isinstance(document.value, list)
        for index, value in enumerate(document.value if many else [document.value]):
            above = (str(index),) if many else ()
            case, mistakes = shapes.convert(value, GoldenCase)
            for mistake in mistakes:
                line = document.line((*above, *mistake.path))
                findings.append(f"{path}:{line}: {shapes.dotted(mistake.path)}: {mistake.text}")
            if case is not None:
                found.append(Located(f"{path}:{document.line(above)}", case))
    if len(found) > CASES_MAX:
        findings.append(f"{found[CASES_MAX].place}: more than {CASES_MAX} golden cases")
    return found, findings


async def run(located: Located, engine: Engine, ruleset: Ruleset) -> Outcome:
    """Judge the case's frame with a loaded ruleset and compare."""
    name = f"{located.place}: {located.case.about}"
    try:
        frame = _frame(located.case, ruleset)
    except ValueError as error:
        return Outcome(name, False, (str(error),))
    judgement = await _judge(engine, ruleset, frame)
    decision = judgement.decision
    differences = (*_failures(decision), *_differences(located.case.expect, decision))
    if not differences:
        return Outcome(name, True)
    return Outcome(name, False, (*differences, *_explanation(frame, judgement)))


async def _judge(engine: Engine, ruleset: Ruleset, frame: Frame) -> Judgement:
    """Judge, once more when the machine and not the policy was at fault."""
    judgement = await judge_frame(engine, ruleset, frame)
    for _ in range(TRIES - 1):
        if not any(r.failure in FLEETING for round_ in judgement.rounds for r in round_.results):
            break
        judgement = await judge_frame(engine, ruleset, frame)
    return judgement


def _frame(case: GoldenCase, ruleset: Ruleset) -> Frame:
    return framing.build(
        case.check,
        ruleset,
        action_id=case.check.action.id or "act_golden",
        run_id=case.check.run.id or "run_golden",
        project_id="prj_golden",
        environment=case.environment,
        now_ns=_nanoseconds(case.time),
        state=case.state,
        prior=case.prior,
        approvals=case.approvals,
        assessment=case.assessment,
    )


def _nanoseconds(time: str) -> int:
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError(f"the time {time} has no zone: write {time}Z")
    return (moment - EPOCH) // timedelta(microseconds=1) * 1_000


def _failures(got: Decision) -> Iterator[str]:
    """A rule that could not be evaluated is no decision, even where it happens to block."""
    for part in got.degraded:
        yield f"a rule failed: {part}"


def _differences(expected: Expected, got: Decision) -> Iterator[str]:
    if got.verdict != expected.verdict:
        yield f"verdict: expected {expected.verdict}, got {got.verdict}"
    if expected.enforced not in (None, got.enforced):
        yield f"enforced: expected {expected.enforced}, got {got.enforced}"
    if expected.arguments is not UNSET and expected.arguments != got.arguments:
        yield f"arguments: expected {expected.arguments}, got {got.arguments}"
    if expected.reasons is not None:
        yield from _reason_differences(expected.reasons, got)


def _reason_differences(wanted: tuple[str | ExpectedReason, ...], got: Decision) -> Iterator[str]:
    reasons = [ExpectedReason(rule) if isinstance(rule, str) else rule for rule in wanted]
    named, spoke = {reason.rule for reason in reasons}, {reason.rule for reason in got.reasons}
    for rule in sorted(named - spoke):
        yield f"reasons: {rule} said nothing"
    for rule in sorted(spoke - named):
        yield f"reasons: {rule} was not expected"
    for reason in reasons:
        if reason.rule in spoke and not any(_is(said, reason) for said in got.reasons):
            said = [r for r in got.reasons if r.rule == reason.rule]
            heard = ", ".join(f"{r.effect} (enforced {r.enforced}) {list(r.fields)}" for r in said)
            yield f"reasons: {reason.rule}: expected {_say(reason)}, got {heard}"


def _is(said: Any, wanted: ExpectedReason) -> bool:
    return said.rule == wanted.rule and all(
        getattr(wanted, name) in (None, getattr(said, name))
        for name in ("effect", "enforced", "fields")
    )


def _say(reason: ExpectedReason) -> str:
    parts: list[str] = [reason.effect or "any effect"]
    if reason.enforced is not None:
        parts.append(f"(enforced {reason.enforced})")
    if reason.fields is not None:
        parts.append(str(list(reason.fields)))
    return " ".join(parts)


def _explanation(frame: Frame, judgement: Judgement) -> Iterator[str]:
    """What every rule said, and the frame it was said about."""
    for number, round_ in enumerate(judgement.rounds, start=1):
        for result in round_.results:
            said = [f"{v.effect}: {v.reason}" for v in result.verdicts]
            why = f": {result.error}" if result.error else ""
            said += [f"failed: {result.failure}{why}"] if result.failure else []
            said += [f"missing: {', '.join(result.missing)}"] if result.missing else []
            yield f"round {number}, {result.rule}: {'; '.join(said) or 'nothing'}"
    yield f"frame: {frames.encode(frame).decode()}"
