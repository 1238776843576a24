"""What this process decided last, for while nobody can be asked: actions by id, and halted runs."""

from __future__ import annotations

from collections import OrderedDict

from gateway.checking.case import Case
from gateway.domain.run_state import ActionRecord
from gateway.storage.ports import Append

ACTIONS_MAX = 4_000
HALTED_MAX = 20_000


class Recent:
    """Bounded: the oldest go. An action counts as it was decided, whatever was reported since."""

    def __init__(self, actions_max: int = ACTIONS_MAX, halted_max: int = HALTED_MAX) -> None:
        self._actions_max = actions_max
        self._halted_max = halted_max
        self._actions: OrderedDict[tuple[str, str, str], ActionRecord] = OrderedDict()
        self._halted: OrderedDict[tuple[str, str], None] = OrderedDict()

    def note(self, case: Case, append: Append) -> None:
        """A decision that was appended. Ids that the gateway made come never again."""
        for change in append.changes:
            if change.action is None:
                continue
            if case.ids.given:
                place = (append.project_id, append.run_id, change.action.action_id)
                self._actions[place] = change.action
                if len(self._actions) > self._actions_max:
                    self._actions.popitem(last=False)
            if change.halted:
                self._halted[append.project_id, append.run_id] = None
                if len(self._halted) > self._halted_max:
                    self._halted.popitem(last=False)

    def action(self, case: Case) -> ActionRecord | None:
        place = (case.caller.project_id, case.ids.run_id, case.ids.action_id)
        return self._actions.get(place)

    def halted(self, case: Case) -> bool:
        """Whether the run, or the one above it, was halted here."""
        project_id, parent = case.caller.project_id, case.run.parent_run_id
        if (project_id, case.ids.run_id) in self._halted:
            return True
        return parent is not None and (project_id, parent) in self._halted
