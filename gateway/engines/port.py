"""What a policy engine promises: answers about a frame, rule by rule, and never a surprise."""

from __future__ import annotations

from typing import Protocol

from gateway.domain.rule_results import EngineInfo, RuleResult
from gateway.domain.ruleset import Ruleset


class Engine(Protocol):
    """An evaluator of Rego rules. One conformance suite holds for all of them."""

    @property
    def info(self) -> EngineInfo: ...

    async def load(self, ruleset: Ruleset) -> None:
        """Make `ruleset` answerable under its digest; older ones stay answerable.

        Raises PolicyInvalid when it does not compile, EngineUnavailable when nothing could try.
        """
        ...

    async def evaluate(
        self, ruleset: Ruleset, rules: tuple[str, ...], frame: bytes
    ) -> tuple[RuleResult, ...]:
        """One result for each of `rules` (rule ids), in that order.

        `frame` is the canonical JSON that rules see as `input`; `time.now_ns()` answers
        `input.time.ns`. Verdicts are sorted by their canonical bytes, each once. Never raises for
        what a rule, a frame or the evaluator does; it is a result with `failure` then:
        `error` (a built-in failed, the ruleset does not compile), `timeout`, `crash`, `malformed`
        (what the rule said is no verdict), `unavailable` (no evaluator, or too much waiting).
        `error` on the result says where and why, as far as the engine knows: one line, bounded.
        One rule's failure is not another's. A ruleset that was not loaded yet (an old version,
        judged again) is loaded first.
        """
        ...

    async def close(self) -> None: ...
