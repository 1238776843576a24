"""Both engines say the same, byte by byte, about thousands of frames under all shipped rules."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

import pytest

from gateway.domain import canonical
from gateway.domain.rule_results import RuleResult
from gateway.domain.ruleset import Ruleset
from gateway.engines.embedded import EmbeddedEngine, Limits
from gateway.engines.opa import OpaEngine
from gateway.policies import check, load, testing
from gateway.policies.shipped import shipped
from tests.engine.rego import unworded
from tests.engine_opa.frames import Frames, texts_of

FRAMES = 3_000
BENT = 400
AT_ONCE = 8
SEED = 20261127


class Difference(NamedTuple):
    frame: bytes
    embedded: RuleResult
    opa: RuleResult


class Comparison:
    """Puts frames to both engines, and counts what they said."""

    def __init__(self, embedded: EmbeddedEngine, opa: OpaEngine, ruleset: Ruleset) -> None:
        self._engines = (embedded, opa)
        self._ruleset = ruleset
        self.rules = tuple(rule.id for rule in ruleset.rules)
        self.counts: Counter[str] = Counter()
        self.differences: list[Difference] = []

    async def run(self, frames: Iterable[bytes]) -> None:
        waiting = iter(frames)
        while batch := list(itertools.islice(waiting, AT_ONCE)):
            await asyncio.gather(*map(self._compare, batch))

    async def _compare(self, frame: bytes) -> None:
        self.counts["frames"] += 1
        answers = await asyncio.gather(
            *(engine.evaluate(self._ruleset, self.rules, frame) for engine in self._engines)
        )
        for one, other in zip(*map(unworded, answers), strict=True):
            self.counts["results"] += 1
            self.counts[one.failure or ("verdicts" if one.verdicts else "silent")] += 1
            self.counts.update(f"{one.rule} {verdict.effect}" for verdict in one.verdicts)
            if canonical.encode(one) != canonical.encode(other):
                self.differences.append(Difference(frame, one, other))


@pytest.fixture(scope="module")
def policy():
    return check.check(shipped())


@pytest.fixture
async def comparison(opa, policy) -> AsyncIterator[Comparison]:
    # Time is not what is compared.
    embedded = EmbeddedEngine(Limits(evaluate_cpu=5, evaluate_wall=60))
    ruleset = load.load(policy.files)
    await embedded.load(ruleset)
    await opa.load(ruleset)
    yield Comparison(embedded, opa, ruleset)
    await embedded.close()


async def test_shipped_rules_say_the_same_on_both_engines(comparison, policy, capsys):
    made = Frames(load.load(policy.files), texts_of(policy.files), SEED)

    await comparison.run(itertools.islice(made, FRAMES))

    with capsys.disabled():
        print(f"\n{comparison.counts}, differing: {len(comparison.differences)}")  # noqa: T201
    # No warning about the portable subset is open, so there is no excuse for any difference.
    assert policy.warnings == ()
    assert comparison.differences[:3] == []
    assert comparison.counts["frames"] >= 3_000
    # Frames that no rule minds would prove nothing.
    heard = {name.partition(" ")[0] for name in comparison.counts if " " in name}
    assert heard == set(comparison.rules)


async def test_the_golden_cases_of_shipped_policies_hold_on_opa(opa, policy):
    ruleset = load.load(policy.files)
    await opa.load(ruleset)

    outcomes, findings = await testing.run_cases(policy.files, ruleset, opa)

    assert [outcome for outcome in outcomes if not outcome.passed] == []
    assert not findings
    assert len(outcomes) >= 60


async def test_where_the_gateway_itself_would_err_no_engine_says_another_verdict(
    comparison, policy, capsys
):
    """Values of any type where the gateway writes: one engine may fail where the other is silent,
    and a number may be spelt in two ways, but verdicts are the same."""
    made = Frames(load.load(policy.files), texts_of(policy.files), SEED + 1, bent=True)

    await comparison.run(itertools.islice(made, BENT))

    failed = [one for one in comparison.differences if one.embedded.failure == "error"]
    with capsys.disabled():
        print(f"\n{comparison.counts}, only one failed: {len(failed)}")  # noqa: T201
    others = [one for one in comparison.differences if one not in failed]
    assert [one for one in others if effects(one.embedded) != effects(one.opa)] == []
    assert comparison.counts["error"] > 0


def effects(result: RuleResult) -> list[str]:
    return sorted(verdict.effect for verdict in result.verdicts)
