"""What came of a simulation, as a value: every call beside its recording, and how it differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from checkrein.simulating.aligning import Kind
from checkrein.simulating.recording import Boundary, Captured
from checkrein.simulating.tokens import Difference

__all__ = ["Boundary", "Captured", "Difference", "Divergence", "Kind", "Report", "Row"]

TEXT_CHARS = 70


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One call on either side.

    `made` counts the calls that were made, `seq` is the recorded call's event in its run; None
    where there is none on that side. `kinds` says how the two diverge. `not_replayable` is why the
    record could not answer. `assumed`: nothing said the output's type, so it came as JSON; or
    a generator raised, and which items it gave before is not recorded.
    `file` and `line` are where the agent's own code made the call.
    """

    call: Literal["tool", "model"]
    name: str
    made: int | None
    run_id: str | None
    seq: int | None
    result: Literal["match", "diverged", "not replayable"]
    kinds: tuple[Kind, ...] = ()
    recorded_name: str | None = None
    differences: tuple[Difference, ...] = ()
    not_replayable: str | None = None
    live: bool = False
    assumed: bool = False
    file: str | None = None
    line: int | None = None


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was otherwise. `row` counts from 1 in the report; `first` marks the one that
    all others may follow from."""

    kind: Kind
    row: int
    name: str
    told: str
    first: bool = False


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A simulation beside the run that was recorded.

    `matched` of `compared` rows are the same: call, arguments, order, and output where one could be
    compared. Costs are in minor units by currency: `original_cost` is what the recorded run took,
    `replay_cost` what live tools took now, `savings` the rest. `refused` names the connections that
    were tried. `incomplete` is what the recording itself lacks, `pinned` what was held still.

    `watched` counts what crossed each boundary in this simulation: `recorded` ran here (live
    tools), `stubbed` was answered from the record, `denied` was stopped as it was then, or was a
    connection that was refused.
    `captured` is the same of the recorded run: what was not observed then cannot match now.
    """

    run_id: str
    rows: tuple[Row, ...]
    divergences: tuple[Divergence, ...]
    matched: int
    compared: int
    original_cost: dict[str, int]
    replay_cost: dict[str, int]
    savings: dict[str, int]
    original_tokens: int
    replay_tokens: int
    refused: tuple[str, ...]
    incomplete: tuple[str, ...]
    pinned: tuple[str, ...]
    watched: tuple[Boundary, ...] = ()
    captured: Captured | None = None

    @property
    def match_rate(self) -> float:
        """The part of the rows that match, 0 to 1; 1 where there are none."""
        return round(self.matched / self.compared, 6) if self.compared else 1.0

    @property
    def first(self) -> Divergence | None:
        """The first divergence."""
        return next((one for one in self.divergences if one.first), None)

    @property
    def ok(self) -> bool:
        """Whether everything went as it was recorded, and nothing tried to leave."""
        return self.matched == self.compared and not self.refused

    @property
    def says(self) -> str:
        """The verdict in a sentence, with what it cannot speak of."""
        stubbed = sum(one.stubbed for one in self.watched)
        ran = sum(one.recorded for one in self.watched)
        told = f"{self.matched} of {self.compared} calls are as recorded"
        told += f" ({stubbed} answered from the record, {ran} run here)"
        unseen = "how much of the run was captured is not told"
        if self.captured is not None:
            unseen = f"of the recorded run, {self.captured.unseen}"
        return f"{told}; {unseen}."

    def to_json(self) -> str:
        """One JSON document; the same report gives the same text."""
        said = {"match_rate": self.match_rate, "ok": self.ok, "says": self.says}
        made = {**msgspec.to_builtins(self), **said}
        return msgspec.json.encode(made, order="sorted").decode()

    def table(self) -> str:
        """The comparison as text, a line for each call."""
        lines = [("", "made", "recorded", "result", "")]
        for row in self.rows:
            mark = ">" if self._opens(row) else ""
            made = "" if row.made is None else row.name
            recorded = "" if row.seq is None else row.recorded_name or row.name
            result = ", ".join(row.kinds) or row.result
            lines.append((mark, made, recorded, result, _aside(row)))
        return "\n".join([*_columns(lines), "", *self._summary()])

    def _opens(self, row: Row) -> bool:
        first = self.first
        return first is not None and self.rows[first.row - 1] is row

    def _summary(self) -> list[str]:
        told = [f"{self.matched} of {self.compared} match ({self.match_rate:.1%})"]
        if self.first is not None:
            told.append(f"first divergence: {self.first.told}")
        told.append(
            f"original cost {_money(self.original_cost)}, replay cost {_money(self.replay_cost)}, "
            f"saved {_money(self.savings)} and {self.original_tokens - self.replay_tokens:,} tokens"
        )
        told += [f"refused: {one}" for one in self.refused]
        told += [f"held still: {', '.join(self.pinned)}"] if self.pinned else []
        told += [f"the recording: {one}" for one in self.incomplete]
        return [*told, self.says]


def _aside(row: Row) -> str:
    if row.not_replayable is not None:
        return row.not_replayable
    if row.differences:
        one = row.differences[0]
        more = f" and {len(row.differences) - 1} more" if row.differences[1:] else ""
        return f"{one.pointer or '/'}: {_shown(one.recorded)} -> {_shown(one.simulated)}{more}"
    return "live" if row.live else ""


def _shown(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= TEXT_CHARS else f"{text[: TEXT_CHARS - 1]}…"


def _columns(lines: Sequence[Sequence[str]]) -> list[str]:
    safe = [
        ["".join(c if c.isprintable() else " " for c in cell) for cell in line] for line in lines
    ]
    widths = [max(len(line[at]) for line in safe) for at in range(len(safe[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in safe
    ]


def _money(cost: dict[str, int]) -> str:
    return ", ".join(f"{value} {currency}" for currency, value in sorted(cost.items())) or "0"
