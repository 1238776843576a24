"""`checkrein compare`: how a run differs from another one, or from the last that went well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.failures import ABSENT, Failure
from gateway.cli.record import Record, mention, record
from gateway.cli.screen import Screen

if TYPE_CHECKING:
    from gateway.replay.compare.comparing import Beside, Comparison, Side
    from gateway.replay.compare.course import Course

# Among so many of the newest runs of the agent the last good one is looked for.
LOOKED_AT = 2_000


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("other", metavar="[RUN]", required=False)
@data_option
@answering
def compare(screen: Screen, run: str, other: str | None, data: str | None) -> None:
    """Put two runs side by side: configuration, calls, the first divergence, cost and time.

    With one RUN the other is the last before it that succeeded, of the same agent, name and
    environment.

    Example: checkrein compare failed-run good-run
    """
    import msgspec

    from gateway.replay.compare import comparing

    source = record(data)
    mention(screen, source)
    found = source.run(run)
    against = source.run(other) if other else _last_good(source, found)
    result = comparing.compare(
        found,
        _course(source, found["run_id"]),
        against,
        _course(source, against["run_id"]),
        chosen="given" if other else "last_good",
    )
    if screen.json:
        screen.answer(msgspec.to_builtins(result))
        return
    _show(screen, result)


def _last_good(source: Record, run: dict[str, Any]) -> dict[str, Any]:
    from gateway.replay.compare import comparing

    runs = source.runs(LOOKED_AT, status="succeeded", agent_id=run["agent_id"])
    found = comparing.last_good(run, runs)
    if found is None:
        text = "No earlier run of the same agent, name and environment succeeded."
        raise Failure(text, f"checkrein compare {run['run_id']} ANOTHER", ABSENT)
    return next(each for each in runs if each["run_id"] == found)


def _course(source: Record, run_id: str) -> Course:
    import msgspec

    from gateway.replay.compare.course import FRAMES_MAX, Course
    from gateway.replay.frames import ReplayFrame

    course = Course()
    for frame in source.frames(run_id):
        course.add(msgspec.convert(frame, ReplayFrame))
        if course.frames >= FRAMES_MAX:
            break
    return course


def _show(screen: Screen, found: Comparison) -> None:
    screen.table(("", "run", "other"), _took(found.run, found.other))
    screen.say()
    if found.configuration:
        rows = [
            (f"{each.what} {each.name}".strip(), _values(each.run), _values(each.other))
            for each in found.configuration
        ]
        screen.table(("configuration", "run", "other"), rows)
    else:
        screen.say("Configured alike, as far as it was recorded.")
    screen.say()
    calls = [_row(each, place == found.first) for place, each in enumerate(found.calls)]
    screen.table(("", "calls", "run", "other", "difference"), calls)
    screen.say()
    told = ", ".join(f"{count} {word}" for word, count in found.counts.items() if count)
    screen.say(told or "Neither run has a call.")
    if found.first is not None:
        first = found.calls[found.first]
        seqs = f"frame {first.run_seq or '-'} of the run, {first.other_seq or '-'} of the other"
        screen.say(f"They part at {first.tool}: {seqs}.")


def _took(run: Side, other: Side) -> list[tuple[str, ...]]:
    sides = (run, other)
    lines: list[tuple[str, ...]] = [
        ("run", *(each.name or each.run_id for each in sides)),
        ("status", *(each.status for each in sides)),
        ("calls", *(f"{each.totals.actions}" for each in sides)),
        ("stopped", *(f"{each.totals.blocked}" for each in sides)),
        ("failed", *(f"{each.totals.errors}" for each in sides)),
        ("model calls", *(f"{each.totals.model_calls}" for each in sides)),
        ("tokens", *(f"{s.totals.input_tokens} + {s.totals.output_tokens}" for s in sides)),
        ("time", *(_milliseconds(each.totals.duration_ms) for each in sides)),
        ("cost", *(_money(each.totals.cost) for each in sides)),
    ]
    return lines


def _milliseconds(milliseconds: int | None) -> str:
    return "" if milliseconds is None else f"{milliseconds:,} ms"


def _money(cost: dict[str, int]) -> str:
    return ", ".join(f"{value:,} {currency}" for currency, value in cost.items()) or "none told"


def _values(values: tuple[Any, ...]) -> str:
    return ", ".join(str(each) for each in values) or "not recorded"


def _row(each: Beside, first: bool) -> tuple[str, ...]:
    told = "; ".join(
        f"{d.aspect} {d.pointer}: {_said(d.run)}, was {_said(d.other)}" for d in each.differences
    )
    return (
        ">>" if first else "",
        each.tool,
        f"{each.run_seq or ''}",
        f"{each.other_seq or ''}",
        f"{each.likeness}{': ' if told else ''}{told}",
    )


def _said(value: Any) -> str:
    if value is None:
        return "absent"
    return str(value).lower() if isinstance(value, bool) else str(value)
