"""A run as a recording, to be simulated: the agent's own code against what was recorded."""

from __future__ import annotations

from typing import Final

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import named_run, run_missing
from gateway.errors import Conflict
from gateway.replay.recording.recorded import Recording
from gateway.replay.recording.recorder import FRAMES_MAX, Recorder
from gateway.replay.walking import walk

# A run that is larger is written to a cassette by the command, from the stores.
RECORDING_BYTES: Final = 16 * 1024 * 1024


async def _get_recording(parts: Parts, call: Call) -> Answer:
    project_id, run_id = call.caller.project_id, named_run(call)
    headers = await freshness.of_run(parts, project_id, run_id)
    row = await parts.ledger.run(project_id, run_id)
    if row is None:
        raise run_missing(headers)
    recorder = Recorder(run_id)
    async for frame in walk(parts.ledger, parts.keyring.run_secret, project_id, run_id):
        recorder.add(frame)
        if recorder.size > RECORDING_BYTES:
            detail = f"The recording is larger than {RECORDING_BYTES:,} bytes."
            raise Conflict("export_refused", detail)
        if recorder.frames >= FRAMES_MAX:
            break
    return Answer(recorder.recording(row), headers)


GET_RECORDING: Final = Endpoint(
    _get_recording,
    Operation(
        id="getRecording",
        method="GET",
        path="/v1/runs/{run_id}/recording",
        scope="read",
        summary="A run as a recording, to be simulated",
        description=(
            "Every guarded call with its arguments, decision and output, and every model call with "
            "its answer, in recorded order: what an SDK serves to the agent's code in the place of "
            "the world. Values are as they were recorded, masked where they were masked."
        ),
        reply=Recording,
        problems=("run_not_found", "export_refused"),
    ),
)
