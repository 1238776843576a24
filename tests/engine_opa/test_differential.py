"""Both engines say the same, byte by byte, about thousands of frames under all shipped rules."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

import pytest

from gateway.domain import canonical
from gateway.domain.rule_results import RuleResult
from gateway.engines.embedded import EmbeddedEngine, Limits
from gateway.policies import load, source
from gateway.policies.shipped import shipped
from tests.engine_opa.frames import Frames, texts_of

FRAMES = 3_000
AT_ONCE = 8
SEED = 20261127


@pytest.fixture(scope="module")
def policy():
    return source.read(shipped())


async def test_shipped_rules_say_the_same_on_both_engines(opa, policy, capsys):
    ruleset = load.load(policy.files)
    rules = tuple(rule.id for rule in ruleset.rules)
    made = itertools.islice(Frames(ruleset, texts_of(dict(policy.files)), SEED), FRAMES)
    embedded = EmbeddedEngine(Limits(evaluate_cpu=5, evaluate_wall=60))
    counts: Counter[str] = Counter()
    differing: list[tuple[bytes, RuleResult, RuleResult]] = []

    async def compare(frame: bytes) -> None:
        ours, theirs = await asyncio.gather(
            embedded.evaluate(ruleset, rules, frame), opa.evaluate(ruleset, rules, frame)
        )
        for one, other in zip(ours, theirs, strict=True):
            counts["results"] += 1
            counts[one.failure or ("said something" if one.verdicts else "said nothing")] += 1
            counts.update(f"{one.rule}: {verdict.effect}" for verdict in one.verdicts)
            if canonical.encode(one) != canonical.encode(other):
                differing.append((frame, one, other))

    try:
        await embedded.load(ruleset)
        await opa.load(ruleset)
        for batch in iter(lambda: list(itertools.islice(made, AT_ONCE)), []):
            counts["frames"] += len(batch)
            await asyncio.gather(*map(compare, batch))
    finally:
        await embedded.close()

    with capsys.disabled():
        print(f"\n  {SEED=}: {dict(counts)}, {len(differing)} differing")  # noqa: T201
    assert differing[:3] == []
    assert counts["frames"] >= 3_000
    # Frames that reach nothing would prove nothing.
    assert {rule for rule in rules if any(name.startswith(f"{rule}:") for name in counts)} == {
        *rules
    }
