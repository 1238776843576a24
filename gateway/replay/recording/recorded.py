"""The form of a recording. A cassette is its canonical bytes, and a line break.

Values are what was recorded: masked where the SDK masked them, and JSON whatever the tool returned.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from gateway.domain import canonical
from gateway.replay.record.manifest import Manifest

FORMAT: Final = "checkrein.recording"
VERSION: Final = 1

Outcome = Literal["returned", "raised", "stopped", "unknown"]
# Why a value is not in a recording. `none`: it is; `nothing reported`: no result ever came.
NotStored = Literal[
    "digest alone", "erased", "changed", "nothing reported", "ran without a decision"
]


class Money(Struct, frozen=True):
    """In integer minor units."""

    value: int
    currency: str


class RecordedError(Struct, frozen=True):
    """What the tool raised."""

    type: str
    message: str


class RecordedCall(Struct, frozen=True, kw_only=True):
    """One guarded call, from its decision to its result.

    `task` is where in the run the call was made: runs below it by name and number, turns by number,
    and the tools whose bodies made it, of which `inside` is the nearest one's action. `occurrence`
    says the how manieth it is of this tool with these arguments there. `decision` is
    what the SDK was told, null for a call that ran without one. `seq` and `ended_seq` are its
    events; `begins` and `ends` say in one order for all runs when it was under way.
    `not_stored` says why there is no output, `cut` that there is less of it than there was.
    `approval` is what became of the approval that it waited for.
    """

    run_id: str
    seq: int
    begins: int = 0
    ends: int | None = None
    task: tuple[str, ...]
    tool: str
    action_id: str
    arguments: dict[str, Any] | None
    arguments_digest: str
    side_effects: tuple[str, ...]
    occurrence: int
    decision: dict[str, Any] | None
    outcome: Outcome
    inside: str | None = None
    started_at: str
    ended_seq: int | None = None
    ended_at: str | None = None
    duration_ns: str | None = None
    output: Any = None
    output_digest: str | None = None
    not_stored: NotStored | None = None
    cut: bool = False
    error: RecordedError | None = None
    cost: Money | None = None
    approval: Literal["pending", "approved", "expired"] | None = None


class RecordedModelCall(Struct, frozen=True, kw_only=True):
    """What a language model was given and what it answered, `at` the time it was told.

    `inside` is the action of the tool whose body asked the model.
    """

    run_id: str
    seq: int
    begins: int = 0
    task: tuple[str, ...]
    at: str
    inside: str | None = None
    provider: str | None = None
    id: str | None = None
    parameters: dict[str, Any] = {}
    prompt_version: str | None = None
    system: str | None = None
    messages: list[Any] = []
    tools: list[Any] = []
    answer: Any = None
    reasoning: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Money | None = None
    duration_ns: str | None = None
    not_stored: NotStored | None = None


class RecordedRun(Struct, frozen=True):
    """Which run this is. Times are RFC 3339."""

    run_id: str
    environment: str
    status: str
    started_at: str
    ended_at: str | None
    name: str | None = None
    agent_id: str | None = None
    external_id: str | None = None


class RecordedTotals(Struct, frozen=True):
    """What it all took; `cost` is in minor units by currency."""

    calls: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    cost: dict[str, int]


class Recording(Struct, frozen=True, kw_only=True):
    """The calls of a run, and of the runs below it.

    `incomplete` names, in sentences, what a simulation will miss; `capture` says, boundary by
    boundary, what was observed of these runs at all.
    """

    format: Literal["checkrein.recording"] = FORMAT
    version: Literal[1] = VERSION
    run: RecordedRun
    below: tuple[RecordedRun, ...]
    calls: tuple[RecordedCall, ...]
    model_calls: tuple[RecordedModelCall, ...]
    totals: RecordedTotals
    incomplete: tuple[str, ...]
    capture: Manifest | None = None


def cassette(recording: Recording) -> bytes:
    """The bytes of a cassette file, the same each time."""
    return canonical.encode(recording) + b"\n"
