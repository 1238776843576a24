"""A recording, from a cassette file or from the gateway."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from checkrein import _run as runs
from checkrein import _runtime
from checkrein._decision import Decision
from checkrein.simulating.errors import RecordingUnreadable

if TYPE_CHECKING:
    import httpx2

    from checkrein._wire import Wire

FORMAT = "checkrein.recording"
VERSION = 1
BYTES_MAX = 64 * 1024 * 1024
FETCH_SECONDS = 30.0
OF_ANOTHER = "Said of the recorded call, which had other arguments; this one was not judged:"
_sorted = msgspec.json.Encoder(order="sorted")


class Money(msgspec.Struct, frozen=True):
    """In integer minor units."""

    value: int
    currency: str


class Raised(msgspec.Struct, frozen=True):
    """What a tool raised."""

    type: str
    message: str


class RecordedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A guarded call. It was under way from `begins` to `ends`; `not_stored` says why there is no
    output. `decision` is the gateway's reply, None for a call that ran without one."""

    run_id: str
    seq: int
    begins: int
    tool: str
    arguments: dict[str, Any] | None
    arguments_digest: str
    decision: dict[str, Any] | None
    outcome: Literal["returned", "raised", "stopped", "unknown"]
    started_at: str
    task: tuple[str, ...] = ()
    action_id: str = ""
    inside: str | None = None
    ends: int | None = None
    ended_at: str | None = None
    output: Any = None
    not_stored: str | None = None
    cut: bool = False
    error: Raised | None = None
    cost: Money | None = None
    approval: str | None = None


class RecordedModelCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a language model."""

    run_id: str
    seq: int
    begins: int
    at: str
    task: tuple[str, ...] = ()
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
    not_stored: str | None = None


class RecordedRun(msgspec.Struct, frozen=True):
    """Which run it is."""

    run_id: str
    started_at: str
    name: str | None = None
    agent_id: str | None = None
    status: str = ""


class RecordedTotals(msgspec.Struct, frozen=True):
    """What the run took; `cost` in minor units by currency."""

    cost: dict[str, int] = {}
    input_tokens: int = 0
    output_tokens: int = 0


class Boundary(msgspec.Struct, frozen=True):
    """What crossed a boundary between the agent and the world, counted: `recorded`, `stubbed`
    (answered from a record), `denied`, and `unobserved`. `state` is complete, partial, unobserved
    or unused."""

    boundary: str
    state: str
    recorded: int = 0
    stubbed: int = 0
    denied: int = 0
    unobserved: int = 0
    reasons: tuple[str, ...] = ()


class Captured(msgspec.Struct, frozen=True):
    """What of the recorded run was captured. `unseen` says what nobody observed, as a clause."""

    unseen: str
    boundaries: tuple[Boundary, ...]
    complete: bool = True


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it was recorded, with the runs below it. `capture` is None in older cassettes.

    What a later version adds to the form is passed over.
    """

    format: str
    version: int
    run: RecordedRun
    calls: tuple[RecordedCall, ...]
    model_calls: tuple[RecordedModelCall, ...] = ()
    totals: RecordedTotals = RecordedTotals()
    incomplete: tuple[str, ...] = ()
    capture: Captured | None = None


def read(data: bytes, where: str) -> Recording:
    """Raises RecordingUnreadable that says what is wrong with it."""
    try:
        made = msgspec.json.decode(data, type=Recording)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordingUnreadable(f"{where} is no recording: {error}") from error
    if made.format != FORMAT or made.version != VERSION:
        said = f"{made.format} {made.version}"
        raise RecordingUnreadable(f"{where} is {said[:80]}, and this reads {FORMAT} {VERSION}.")
    for call in made.calls:
        if call.decision is not None:
            _decision(call.decision, where)
    return made


def decision_of(told: dict[str, Any]) -> Decision:
    """A recorded decision. An assessment that cannot be read is none, as on the wire."""
    try:
        return msgspec.convert(told, Decision)
    except msgspec.ValidationError:
        return msgspec.convert({**told, "assessment": None}, Decision)


def decision_for(told: dict[str, Any], *, changed: bool) -> Decision:
    """A recorded decision for the call that stands for the recorded one.

    `changed`: it has other arguments, so nobody judged it. The reasons then say whose they are,
    wherever they are shown, and the assessment is left out.
    """
    decision = decision_of(told)
    if not changed:
        return decision
    reasons = tuple(replace(one, reason=f"{OF_ANOTHER} {one.reason}") for one in decision.reasons)
    return replace(decision, reasons=reasons, assessment=None, of_recorded_call=True)


def _decision(told: dict[str, Any], where: str) -> None:
    try:
        decision_of(told)
    except msgspec.ValidationError as error:
        raise RecordingUnreadable(f"{where} has a decision that is none: {error}") from error


def from_file(path: str | os.PathLike[str]) -> Recording:
    """The recording in a cassette file. Raises RecordingUnreadable."""
    try:
        with Path(path).open("rb") as opened:
            data = opened.read(BYTES_MAX + 1)
    except OSError as error:
        raise RecordingUnreadable(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(data) > BYTES_MAX:
        raise RecordingUnreadable(f"{path} is larger than {BYTES_MAX:,} bytes.")
    return read(data, str(path))


def from_gateway(wire: Wire, run: str) -> Recording:
    """The recording of a run, by its id or its own name. Raises RecordingUnreadable."""
    return read(asked_for(wire, run), run)


def save(run: str, path: str | os.PathLike[str]) -> int:
    """Write the recording of a run as a cassette file; how many bytes. Raises RecordingUnreadable.

    The same run gives the same bytes, and `checkrein simulate --save` gives them too.
    """
    runs.flush(FETCH_SECONDS)
    data = asked_for(_runtime.current().wire, run)
    read(data, run)
    return Path(path).write_bytes(_sorted.encode(msgspec.json.decode(data)) + b"\n")


def asked_for(wire: Wire, run: str) -> bytes:
    """What the gateway answers. Raises RecordingUnreadable."""
    client = wire.lend()
    try:
        answer = _fetched(client, f"/v1/runs/{quote(run, safe='')}/recording")
    except Exception as error:
        raise RecordingUnreadable(f"No gateway answers at {wire.url}: {error}") from error
    finally:
        client.close()
    if answer.status_code != 200:
        raise RecordingUnreadable(f"The gateway at {wire.url} refused {run}: {_said(answer)}")
    return answer.content


def _fetched(client: httpx2.Client, path: str) -> httpx2.Response:
    """What is on its way into the record is waited for."""
    last = time.monotonic() + FETCH_SECONDS
    while True:
        answer = client.get(path, timeout=FETCH_SECONDS)
        again = answer.headers.get("retry-after", "")
        if answer.status_code != 503 or not again.isdecimal() or time.monotonic() > last:
            return answer
        time.sleep(min(float(again[:2]), 1.0))


def _said(answer: httpx2.Response) -> str:
    try:
        detail = str(msgspec.json.decode(answer.content)["detail"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        detail = "no reason given"
    return f"{answer.status_code}, {detail[:300]}"
