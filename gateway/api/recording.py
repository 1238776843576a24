"""A run as a recording, to be simulated: the agent's own code against what was recorded."""

from __future__ import annotations

from typing import Final

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import named_run, run_missing
from gateway.errors import Conflict
from gateway.replay.recording.reading import RecordingTooLarge, recorded
from gateway.replay.recording.recorded import Recording

# A run that is larger is written to a cassette by the command, from the stores.
RECORDING_BYTES: Final = 16 * 1024 * 1024


async def _get_recording(parts: Parts, call: Call) -> Answer:
    project_id, run_id = call.caller.project_id, named_run(call)
    headers = await freshness.of_run(parts, project_id, run_id)
    row = await parts.ledger.run(project_id, run_id)
    if row is None:
        raise run_missing(headers)
    secret = parts.keyring.run_secret
    try:
        found = await recorded(parts.ledger, secret, project_id, row, RECORDING_BYTES)
        for below in found.below:
            headers |= await freshness.of_run(parts, project_id, below.run_id)
        if found.below:
            # Now that what they did is in the record.
            found = await recorded(parts.ledger, secret, project_id, row, RECORDING_BYTES)
    except RecordingTooLarge as error:
        raise Conflict("export_refused", str(error)) from error
    return Answer(found, headers)


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
            "its answer, in recorded order, of the run and of the runs below it: what an SDK "
            "serves to the agent's code in the place of the world. Values are as they were "
            "recorded, masked where they were masked."
        ),
        reply=Recording,
        problems=("run_not_found", "export_refused"),
    ),
)
