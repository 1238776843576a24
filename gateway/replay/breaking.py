"""The step that broke a run: where somebody who asks why it failed begins to look.

It is the last call that failed or was stopped; where calls of that tool had gone on failing, the
first of these. A call that failed and went well when it was tried again broke nothing.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from gateway.domain.verdicts import STOPPING
from gateway.replay.frames import ReplayFrame

# How a run stands that did not go well.
BROKEN: Final = frozenset({"failed", "halted", "escalated", "rolled_back", "paused"})


class _Made(Struct):
    """One call: 2 when it was stopped or failed, 1 when a rule would have stopped it."""

    seq: int
    action_id: str
    tool: str
    bad: int


class Breaking:
    """Follows the calls of a run, frame by frame."""

    def __init__(self) -> None:
        self._made: dict[str, _Made] = {}

    def add(self, frame: ReplayFrame) -> None:
        """The next frame."""
        id_ = str(frame.body.get("action_id"))
        if frame.type == "decision":
            said = (frame.body.get("enforced"), frame.body.get("verdict"))
            bad = 2 if said[0] in STOPPING else 1 if said[1] in STOPPING else 0
            self._made.pop(id_, None)
            self._made[id_] = _Made(frame.seq, id_, str(frame.body.get("tool")), bad)
        elif frame.type == "result" and frame.body.get("status") == "failed" and id_ in self._made:
            self._made[id_].bad = 2

    @property
    def broken(self) -> tuple[int, str] | None:
        """The frame's seq and the action's id of the step that broke, None where nothing did."""
        made = list(self._made.values())
        worst = max((each.bad for each in made), default=0)
        bad = [place for place, each in enumerate(made) if worst and each.bad == worst]
        if not bad:
            return None
        first = last = made[bad[-1]]
        for each in reversed(made[: bad[-1]]):
            if each.tool == last.tool:
                if each.bad < worst:
                    break
                first = each
        return first.seq, first.action_id
