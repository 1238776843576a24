"""From the calls of a simulation to its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from checkrein.simulating.aligning import Interval, Kind, Pair, align
from checkrein.simulating.manifest import watched
from checkrein.simulating.matching import asked as model_request
from checkrein.simulating.model_calls import AskedModel
from checkrein.simulating.recording import RecordedCall, RecordedModelCall, Recording
from checkrein.simulating.report import Divergence, Report, Row
from checkrein.simulating.serving import Asked
from checkrein.simulating.tokens import differences


class Outside(NamedTuple):
    """What a report has beside the calls."""

    refused: tuple[str, ...]
    pinned: tuple[str, ...]


def report(
    recording: Recording,
    tools: Sequence[Asked],
    models: Sequence[AskedModel],
    outside: Outside,
) -> Report:
    """The comparison of everything that was recorded with everything that was made."""
    rows = _rows(recording, tools, models)
    divergences = tuple(_divergences(rows))
    original = dict(recording.totals.cost)
    replay = _spent(tools)
    return Report(
        run_id=recording.run.run_id,
        rows=rows,
        divergences=divergences,
        matched=sum(row.result == "match" for row in rows),
        compared=len(rows),
        original_cost=original,
        replay_cost=replay,
        savings={
            currency: original.get(currency, 0) - replay.get(currency, 0)
            for currency in sorted({*original, *replay})
        },
        original_tokens=recording.totals.input_tokens + recording.totals.output_tokens,
        replay_tokens=0,
        refused=outside.refused,
        incomplete=recording.incomplete,
        pinned=outside.pinned,
        watched=watched(recording, tools, models, len(outside.refused), outside.pinned),
        captured=recording.capture,
    )


def _rows(
    recording: Recording, tools: Sequence[Asked], models: Sequence[AskedModel]
) -> tuple[Row, ...]:
    """Both kinds of calls, in the order in which they were made."""
    running = _running(recording, tools)
    of_tools = align(
        [asked.entry for asked in tools],
        [Interval(call.tool, call.begins, call.ends) for call in recording.calls],
        _made_by_bodies(recording.calls, running),
    )
    of_models = align(
        [asked.entry for asked in models],
        [Interval("model", call.begins, call.begins) for call in recording.model_calls],
        _made_by_bodies(recording.model_calls, running),
    )
    placed: list[tuple[int, int, Row]] = []
    last = -1
    for pair in of_tools:
        last = last if pair.made is None else tools[pair.made].order
        placed.append((last, 0, _tool_row(recording, tools, pair)))
    last = -1
    for pair in of_models:
        last = last if pair.made is None else models[pair.made].order
        placed.append((last, 1, _model_row(recording, models, pair)))
    placed.sort(key=lambda one: one[:2])
    return tuple(row for _, _, row in placed)


def _running(recording: Recording, tools: Sequence[Asked]) -> frozenset[str]:
    """The recorded actions whose bodies ran again."""
    return frozenset(
        recording.calls[asked.at].action_id for asked in tools if asked.live and asked.at >= 0
    )


def _made_by_bodies(
    calls: Sequence[RecordedCall | RecordedModelCall], running: frozenset[str]
) -> frozenset[int]:
    """What the bodies of tools made, where those were answered from the record instead."""
    return frozenset(
        at
        for at, call in enumerate(calls)
        if call.inside is not None and call.inside not in running
    )


def _tool_row(recording: Recording, tools: Sequence[Asked], pair: Pair) -> Row:
    asked = None if pair.made is None else tools[pair.made]
    call = None if pair.recorded is None else recording.calls[pair.recorded]
    kinds: tuple[Kind, ...] = (pair.kind,) if pair.kind else ()
    different = asked.different if asked and pair.kind in (None, "order", "input") else ()
    kinds += ("output",) if different else ()
    if pair.kind == "input" and asked is not None and call is not None:
        different = differences(call.arguments, asked.masked) + different
    why = asked.why if asked and pair.kind in (None, "order") else None
    return Row(
        call="tool",
        name=asked.tool.name if asked else call.tool if call else "",
        made=None if asked is None else asked.order,
        run_id=None if call is None else call.run_id,
        seq=None if call is None else call.seq,
        result="diverged" if kinds else "not replayable" if why else "match",
        kinds=kinds,
        recorded_name=None if call is None else call.tool,
        differences=different,
        not_replayable=why,
        live=asked is not None and asked.live,
        assumed=asked is not None and asked.assumed,
        file=None if asked is None else asked.file,
        line=None if asked is None else asked.line,
    )


def _model_row(recording: Recording, models: Sequence[AskedModel], pair: Pair) -> Row:
    asked = None if pair.made is None else models[pair.made]
    call = None if pair.recorded is None else recording.model_calls[pair.recorded]
    kinds: tuple[Kind, ...] = (pair.kind,) if pair.kind else ()
    different = asked.different if asked and pair.kind != "extra" else ()
    kinds += ("output",) if different else ()
    if pair.kind == "input" and asked is not None and call is not None:
        different = differences(model_request(call), asked.given) + different
    recorded_name = None if call is None else call.id or call.provider or "model"
    why = asked.why if asked and pair.kind in (None, "order") else None
    return Row(
        call="model",
        name=asked.name if asked else recorded_name or "model",
        made=None if asked is None else asked.order,
        run_id=None if call is None else call.run_id,
        seq=None if call is None else call.seq,
        result="diverged" if kinds else "not replayable" if why else "match",
        kinds=kinds,
        recorded_name=recorded_name,
        differences=different,
        not_replayable=why,
    )


def _divergences(rows: Sequence[Row]) -> list[Divergence]:
    found: list[Divergence] = []
    for number, row in enumerate(rows, start=1):
        for kind in row.kinds:
            told = _told(kind, row) + _made_at(row)
            first = not found
            found.append(Divergence(kind=kind, row=number, name=row.name, told=told, first=first))
    return found


def _told(kind: Kind, row: Row) -> str:
    where = f", recorded at {row.seq}" if row.seq is not None else ""
    match kind:
        case "name":
            return f"{row.name} was called where {row.recorded_name} was recorded at {row.seq}"
        case "missing":
            return f"{row.name} was not called{where}"
        case "extra":
            return f"{row.name} was called and is not in the recording"
        case "order":
            return f"{row.name} came before calls that it followed{where}"
        case "input" | "output":
            return f"{row.name} had another {kind}{_which(row)}{where}"


def _made_at(row: Row) -> str:
    """The line of the agent's code."""
    return "" if row.file is None else f" ({PurePath(row.file).name}:{row.line})"


def _which(row: Row) -> str:
    places = [one.pointer or "/" for one in row.differences]
    return f" at {', '.join(places[:3])}" if places else ""


def _spent(tools: Sequence[Asked]) -> dict[str, int]:
    spent: dict[str, int] = {}
    for asked in tools:
        if asked.cost is not None:
            value, currency = asked.cost
            spent[currency.upper()] = spent.get(currency.upper(), 0) + value
    return dict(sorted(spent.items()))


def outside(refused: Sequence[Any], pinned: Sequence[str]) -> Outside:
    """The rest of a report."""
    return Outside(tuple(map(str, refused)), tuple(pinned))
