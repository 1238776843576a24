"""Simulations: the agent's own code against what was recorded. No tool runs, no call leaves.

    with checkrein.simulate("run_019ab...") as simulation:
        agent()
    print(simulation.report.table())

`recording` reads what was recorded, `matching` finds the recorded call of a call that is made now,
`serving` gives its outcome, `aligning` says at the end what was otherwise, `report` tells it.
"""

from checkrein._replaying import recorded_model_answer
from checkrein._simulate import simulate
from checkrein.simulating.errors import (
    CallLeft,
    NotReplayable,
    RecordedError,
    RecordingUnreadable,
)
from checkrein.simulating.model_calls import ModelAnswer
from checkrein.simulating.outputs import register_codec
from checkrein.simulating.recording import Recording, save
from checkrein.simulating.report import Difference, Divergence, Report, Row
from checkrein.simulating.simulation import Simulation

__all__ = [
    "CallLeft",
    "Difference",
    "Divergence",
    "ModelAnswer",
    "NotReplayable",
    "RecordedError",
    "Recording",
    "RecordingUnreadable",
    "Report",
    "Row",
    "Simulation",
    "recorded_model_answer",
    "register_codec",
    "save",
    "simulate",
]
