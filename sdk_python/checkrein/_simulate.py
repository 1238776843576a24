"""`simulate`, apart from what it needs: agents that never simulate need not load that."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from checkrein.simulating.recording import Recording
    from checkrein.simulating.simulation import Simulation

PATIENCE_SECONDS = 0.5


def simulate(
    source: str | os.PathLike[str] | Recording,
    *,
    live: Sequence[str] = (),
    clock: Literal["recorded"] | datetime.datetime | int | None = None,
    seed: int | None = None,
    codecs: Mapping[str | type, Callable[[Any], Any]] | None = None,
    patience: float = PATIENCE_SECONDS,
) -> Simulation:
    """Run the code inside against what was recorded: no tool runs, no call leaves.

    with checkrein.simulate("run_019ab...") as simulation:
        agent()
    assert simulation.report.ok

    source    a run's id or name, asked of the gateway, or the path of a cassette file
    live      names of tools that are pure: their bodies run, and their outputs are compared
              (generators are answered from the record all the same)
    clock     "recorded", a time, or nanoseconds since 1970: what time.time and datetime say
    seed      for `random` and uuid4
    codecs    {tool name or type: function of the recorded JSON}, where no annotation tells what a
              tool returned
    patience  seconds to wait for calls that ended sooner when they were recorded
    """
    from checkrein.simulating.simulation import Simulation  # noqa: PLC0415 - see above

    if isinstance(live, str):
        raise TypeError("live is a list of tool names")
    return Simulation(source, live, clock, seed, codecs or {}, patience)
