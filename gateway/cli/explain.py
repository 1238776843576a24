"""`checkrein explain`: where an argument of a call came from, and the frame where it departs."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.failures import ABSENT, USAGE, Failure
from gateway.cli.record import mention, record
from gateway.cli.screen import Screen

if TYPE_CHECKING:
    from gateway.cli.record import Document, Record
    from gateway.replay.lineage.explanation import Explanation, Finding, Step
    from gateway.replay.lineage.sources import Case

PARENT_FRAMES_MAX: Final = 5_000
COLUMNS = ("", "station", "frame", "has", "evidence")


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("action", metavar="[ACTION]", required=False)
@click.argument("pointer", metavar="[POINTER]", required=False)
@data_option
@answering
def explain(
    screen: Screen, run: str, action: str | None, pointer: str | None, data: str | None
) -> None:
    """Trace the arguments of a call back to the user's words, and say where they depart.

    RUN is a run's id, or the name that its caller gave it. ACTION is the call's action id, a
    decision's id or the number of its frame; without it, it is the step that broke. POINTER names
    one argument, as /is_refund does.

    Example: checkrein explain first-run 4 /is_refund
    """
    import msgspec

    from gateway.replay.frames import ReplayFrame
    from gateway.replay.lineage import tracing
    from gateway.replay.lineage.explanation import UnknownPointer
    from gateway.replay.lineage.trail import Trail

    source = record(data)
    mention(screen, source)
    row = source.run(run)
    run_id = row["run_id"]
    trail = Trail(action)
    for frame in source.frames(run_id):
        trail.add(msgspec.convert(frame, ReplayFrame))
    case = trail.case()
    if case is None:
        what = f"no decision about {action}" if action else "no decision"
        raise Failure(f"The run {run} has {what}.", f"checkrein replay {run}", ABSENT)
    case = _with_parents(source, row, case)
    try:
        found = tracing.explain(run_id, case, pointer)
    except UnknownPointer as unknown:
        raise Failure(str(unknown), f"checkrein explain {run} {case.action_id}", USAGE) from None
    if screen.json:
        screen.answer(msgspec.to_builtins(found))
        return
    _show(screen, found)


def _with_parents(source: Record, row: Document, case: Case) -> Case:
    """The call with the runs above it, as far as they can be read."""
    import msgspec

    from gateway.replay.frames import ReplayFrame
    from gateway.replay.lineage.passing import Ancestry

    above = Ancestry(case, row)
    while (wanted := above.wanted) is not None:
        try:
            row = source.run(wanted)
        except Failure as failure:
            if failure.code != ABSENT:
                raise
            above.absent()
            break
        passing = above.passing(row)
        for frame in islice(source.frames(wanted), PARENT_FRAMES_MAX):
            passing.add(msgspec.convert(frame, ReplayFrame))
        above.took(passing, row)
    return above.case()


def _show(screen: Screen, found: Explanation) -> None:
    said = found.verdict if found.verdict == found.enforced else f"{found.verdict}, enforced "
    said += "" if found.verdict == found.enforced else found.enforced
    screen.title(f"{found.seq}", f"{found.tool}: {said}", found.action_id, found.enforced)
    for finding in found.findings:
        screen.say()
        _finding(screen, finding)
    if not found.findings:
        screen.say()
        screen.say(f"Nothing that was recorded speaks against any of {found.examined} values.")
    for each in found.missing:
        screen.section("not recorded", (each,))


def _finding(screen: Screen, finding: Finding) -> None:
    said = f"{finding.aspect}: {finding.cause}" if finding.aspect else finding.cause
    screen.title("", said, finding.pointer, "")
    screen.section("why", (finding.why,))
    screen.section("sure", (finding.certainty,))
    if finding.candidates:
        screen.section("may be", (", ".join(finding.candidates),))
    screen.table(COLUMNS, [_row(step, finding.flip) for step in finding.path])


def _row(step: Step, flip: Step | None) -> tuple[str, ...]:
    here = flip is not None and _place(step) == _place(flip)
    trust = "" if step.trusted else ", not trusted"
    name = f"{step.name}{trust}: " if step.name else ""
    name = f"run {step.run_id}, {name}" if step.run_id else name
    has = "" if step.says == "silent" else _shown(step.value)
    return (">>" if here else "", step.station, f"{step.seq}", has, f"{name}{step.quote}")


def _place(step: Step) -> tuple[str | None, int, str]:
    return step.run_id, step.seq, step.part


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
