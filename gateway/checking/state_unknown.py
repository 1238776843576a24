"""An engine for while the run's state cannot be read: what needs it fails, the rest is asked."""

from __future__ import annotations

from gateway.domain.rule_results import EngineInfo, RuleResult
from gateway.domain.ruleset import Rule, Ruleset
from gateway.engines.port import Engine


class StateUnknown:
    """Rules that read the run's state, its budgets or labels are results with a failure, so that
    they take the fail mode, capped by their stage. The engine itself belongs to the caller."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    async def load(self, ruleset: Ruleset) -> None:
        await self._engine.load(ruleset)

    async def evaluate(
        self, ruleset: Ruleset, rules: tuple[str, ...], frame: bytes
    ) -> tuple[RuleResult, ...]:
        asked = tuple(each for each in rules if not needs_state(ruleset.rule(each)))
        answered = await self._engine.evaluate(ruleset, asked, frame) if asked else ()
        results = {result.rule: result for result in answered}
        return tuple(
            results.get(each) or RuleResult(rule=each, failure="unavailable") for each in rules
        )

    async def close(self) -> None:
        return


def needs_state(rule: Rule) -> bool:
    return bool(rule.needs - {"assessment"} or rule.reads)
