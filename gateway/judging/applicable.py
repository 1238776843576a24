"""Which rules a call is evaluated by; finding them costs the same for ten rules or thousands."""

from __future__ import annotations

from collections import OrderedDict

from gateway.domain.ruleset import Rule, Ruleset

REMEMBERED = 4096


class RuleIndex:
    """Remembers, per ruleset digest, tool and side effects, the rules that apply.

    Tool names come from agents, so what is remembered is bounded.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._known: OrderedDict[tuple[str, str, tuple[str, ...]], tuple[Rule, ...]] = OrderedDict()

    def rules(self, ruleset: Ruleset, tool: str, side_effects: tuple[str, ...]) -> tuple[Rule, ...]:
        """The applicable rules in order of rule id."""
        key = (ruleset.digest, tool, side_effects)
        found = self._known.get(key)
        if found is None:
            effects = frozenset(side_effects)
            matching = [rule for rule in ruleset.rules if rule.matches(tool, effects)]
            found = tuple(sorted(matching, key=lambda rule: rule.id))
            self._known[key] = found
            if len(self._known) > self._remembered:
                self._known.popitem(last=False)
        return found
