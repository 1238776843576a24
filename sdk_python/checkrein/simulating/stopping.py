"""What the agent heard when a recorded call was stopped, said again."""

from __future__ import annotations

from checkrein import _stops
from checkrein._decision import Decision
from checkrein._run import Run
from checkrein.simulating.errors import NotReplayable
from checkrein.simulating.recording import RecordedCall


def stop(call: RecordedCall, decision: Decision, run: Run | None) -> BaseException:
    """The exception. An approval is answered as it was, and nobody is waited for."""

    def status() -> str:
        if call.approval in {"approved", "expired"}:
            return str(call.approval)
        message = (
            "Nobody had answered this approval when the run was recorded, so how it goes on is "
            "not in the record."
        )
        raise NotReplayable(message, "nothing reported")

    return _stops.of(decision, run, lambda _: (status, lambda: None))
