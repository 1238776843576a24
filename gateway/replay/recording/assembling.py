"""A recording of runs that were followed: one order for all of them, and what they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from gateway.replay.record.manifest import Captured
from gateway.replay.recording.recorded import (
    Money,
    RecordedCall,
    RecordedModelCall,
    RecordedRun,
    RecordedTotals,
    Recording,
)
from gateway.replay.recording.recorder import Recorder

# The verdict of a recording: it can be simulated, and with this much knowledge of the world.
PLAYED: Final = "What was recorded can be simulated"


def assemble(
    recorders: Sequence[Recorder], left_out: Sequence[str] = (), *, complete: bool = True
) -> Recording:
    """The first one's run is the one that is recorded; the others are below it.

    `left_out` says, in sentences, what was not followed. `complete`: no frame was passed over.
    """
    order = _order(recorders)
    calls: list[RecordedCall] = []
    models: list[RecordedModelCall] = []
    for each in recorders:
        run_id = each.run["run_id"]
        for call in each.calls.values():
            ends = None if call.ended_seq is None else order[run_id, call.ended_seq]
            calls.append(replace(call, begins=order[run_id, call.seq], ends=ends))
        models += [replace(asked, begins=order[run_id, asked.seq]) for asked in each.models]
    calls.sort(key=lambda call: call.begins)
    models.sort(key=lambda asked: asked.begins)
    costs = [*(call.cost for call in calls), *(asked.cost for asked in models)]
    return Recording(
        run=_run(recorders[0].run),
        below=tuple(_run(each.run) for each in recorders[1:]),
        calls=tuple(calls),
        model_calls=tuple(models),
        totals=RecordedTotals(
            calls=len(calls),
            model_calls=len(models),
            input_tokens=sum(asked.input_tokens for asked in models),
            output_tokens=sum(asked.output_tokens for asked in models),
            cost=_sum(costs),
        ),
        incomplete=(*_incomplete(recorders, calls), *left_out),
        capture=Captured([each.capture.manifest() for each in recorders], complete).beside(PLAYED),
    )


def _order(recorders: Sequence[Recorder]) -> dict[tuple[str, int], int]:
    """A number for every event: by time, and within a run as they are."""
    events = sorted(
        (moment, place, seq, each.run["run_id"])
        for place, each in enumerate(recorders)
        for seq, moment in each.moments.items()
    )
    return {(run_id, seq): number for number, (_, _, seq, run_id) in enumerate(events, start=1)}


def _run(row: Mapping[str, Any]) -> RecordedRun:
    return RecordedRun(
        run_id=row["run_id"],
        environment=row["environment"],
        status=row["status"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        name=row["name"],
        agent_id=row["agent_id"],
        external_id=row["external_id"],
    )


def _sum(costs: Sequence[Money | None]) -> dict[str, int]:
    spent: dict[str, int] = {}
    for each in costs:
        if each is not None:
            currency = each.currency.upper()
            spent[currency] = spent.get(currency, 0) + each.value
    return dict(sorted(spent.items()))


def _incomplete(recorders: Sequence[Recorder], calls: Sequence[RecordedCall]) -> list[str]:
    told = []
    if any(each.run["status"] == "running" for each in recorders):
        told.append("The run has not ended: what it does from here on is not in here.")
    gone = sum(each.gone for each in recorders)
    if gone:
        told.append(f"{gone} parts of the content were erased or changed.")
    missing = sum(each.not_stored is not None for each in calls)
    if missing:
        told.append(f"The outputs of {missing} calls are not stored.")
    return told
