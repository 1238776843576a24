"""Training: the same bytes each time, and the gateway's walk agrees with the library's."""

import math
import random

import msgspec
import pytest

from benchmarks.intent import breaking, data, deferring, figures, train
from benchmarks.intent.figures import Scored
from gateway.intent import evaluator, versions
from gateway.intent.trees import Grove, forest_of

needs_training = pytest.mark.skipif(
    not train.installed(), reason="scikit-learn comes with `make train-intent`"
)


@pytest.fixture(scope="module")
def rows():
    cases = data.cases()[::60]
    modules = evaluator.modules("v1")
    return train.Rows(
        cases, [evaluator.look(data.evidence_of_case(case), modules) for case in cases]
    )


@needs_training
def test_training_twice_gives_the_same_bytes(rows):
    first, second = (msgspec.json.encode(train.train(rows, scale=0.1)) for _ in range(2))
    assert first == second
    assert versions.model_of(first).package == "v1"


@needs_training
def test_walking_agrees_with_the_library(rows):
    ways = train.directions_of("v1")["plan"]
    matrix = rows.numpy.array(
        [[seen.features.get(name, 0.0) for name in ways] for seen in rows.seen]
    )
    everything = rows.numpy.ones(len(rows.cases), dtype=bool)
    grown = train.fit(rows, matrix, everything, ways, 30)
    stored = msgspec.json.encode(train.forest_data(grown, ways))
    grove = Grove(forest_of(msgspec.json.decode(stored)))
    for seen, expected in zip(rows.seen, train.raw(grown, matrix), strict=True):
        assert math.isclose(grove.log_odds(seen.features), expected, abs_tol=1e-12)


@needs_training
@pytest.mark.parametrize("family", data.FAMILIES)
def test_a_declared_budget_holds_in_a_source_never_seen(family):
    """5 % declared, 100 labels of the source: at most 7 % of its other right calls are flagged."""
    cases = data.cases()
    seen = data.features(cases)
    rows = train.everything()
    inside = [i for i, case in enumerate(rows.cases) if case.family != family]
    # Few trees give few different scores, and a threshold among ties holds no budget.
    trained = train.train(rows.only(inside), scale=0.5, heads=False)
    model = versions.model_of(msgspec.json.encode(trained))
    scored = []
    for case, one in zip(cases, seen, strict=True):
        if case.family == family:
            evidence = data.evidence_of_case(case)
            chance = model.calibrators["score"](evaluator.combined(model, evidence, one.features))
            scored.append(Scored(case.group, case.wrong, chance))
    mean, _ = figures.declared_budget(scored)
    assert mean <= 0.07


def test_every_case_is_there_and_groups_stay_together():
    cases = data.cases()
    assert len(cases) == 9400
    assert {case.family for case in cases} == set(data.FAMILIES)
    assert len({case.id for case in cases}) == 9400


@pytest.mark.parametrize("kind", [deferring, breaking])
def test_rows_that_training_makes_belong_to_the_case_they_are_made_of(kind):
    cases = data.cases()[::20]
    made = kind.made(cases)
    assert made == kind.made(cases)
    known = {case.id: case for case in cases}
    assert made
    assert len({case.id for case in made}) == len(made)
    for case in made:
        origin = known[case.id.rpartition("-")[0]]
        assert (case.family, case.group, case.made) == (origin.family, origin.group, True)


def test_a_broken_row_is_a_right_call_that_its_schema_refuses():
    """All but a few: a whole number may stand where a fraction does."""
    cases = data.cases()[::20]
    right = {case.id: case for case in cases if not case.wrong}
    made = breaking.made(cases)
    modules = evaluator.modules("v1")
    refused = 0.0
    for case in made:
        origin = right[case.id.removesuffix("-broken")]
        assert case.wrong
        assert case.arguments != origin.arguments
        seen = evaluator.look(data.evidence_of_case(case), modules)
        refused += seen.features["plan.schema.broken"]
    assert refused >= 0.95 * len(made)


def test_no_head_sees_the_features_of_another():
    directions = train.directions_of("v1")
    names = [name for ways in directions.values() for name in ways]
    assert len(names) == len(set(names))
    assert {way for ways in directions.values() for way in ways.values()} <= {-1, 0, 1}


def test_auc_counts_ties_as_half():
    cases = [Scored("a", True, 0.9), Scored("a", True, 0.5), Scored("b", False, 0.5)]
    assert figures.auc(cases) == 0.75


def test_recall_at_a_budget_flags_no_more_right_calls_than_allowed():
    chance = random.Random(1)
    cases = [Scored(str(i), i % 2 == 0, chance.random() + (i % 2 == 0) * 0.5) for i in range(400)]
    right = [case.score for case in cases if not case.wrong]
    limit = figures.threshold_at(right, 0.05)
    assert sum(score > limit for score in right) <= 0.05 * len(right)
    assert 0.4 < figures.recall_at(0.05)(cases) < 0.9


def test_a_conformal_threshold_needs_enough_labels():
    assert figures.conformal([0.1, 0.2], 0.05) == math.inf
    assert figures.conformal([i / 100 for i in range(100)], 0.05) == 0.95
