"""What labels may do: by stages, within shares, and only where later labels agree."""

from __future__ import annotations

import random

import pytest
from msgspec import structs

from gateway.calibrating.platt import IDENTITY, Platt, fit
from gateway.calibrating.points import Point, for_review, truth_of
from gateway.calibrating.proposal import INFLUENCE_MAX, choose, propose
from gateway.calibrating.stages import stage_of
from gateway.calibrating.weights import LABELLER_SHARE, SAMPLED_MIN, caps, labelled
from tests.calibrating.cases import SHAPES, history, point


def some(fine: int, wrong: int, people: int = 4) -> list[Point]:
    """Labels of fine calls with low and of wrong ones with high scores, in turn."""
    chance = random.Random(fine * 1000 + wrong)
    labels = ["fine"] * fine + ["missed"] * wrong
    chance.shuffle(labels)
    bases = {"fine": lambda: chance.betavariate(2, 8), "missed": lambda: chance.betavariate(8, 2)}
    return [
        point(n, bases[label](), label, by=(f"p{n % people}",)) for n, label in enumerate(labels)
    ]


@pytest.mark.parametrize(
    ("fine", "wrong", "people", "stage"),
    [
        (20, 9, 4, "global"),
        (25, 9, 4, "global"),
        (20, 10, 4, "shift"),
        (45, 60, 4, "shift"),
        (80, 40, 1, "shift"),
        (60, 40, 4, "project"),
        (180, 25, 4, "project"),
        (160, 40, 4, "refit"),
        (700, 300, 4, "isotonic"),
    ],
)
def test_labels_count_by_stages(fine: int, wrong: int, people: int, stage: str) -> None:
    """S1-27: 30 with ten of each, 100 with fifty fine and two labellers, 200, 1,000."""
    assert stage_of(labelled(some(fine, wrong, people))).name == stage


def test_below_thirty_labels_nothing_changes() -> None:
    points = some(15, 14)

    found = propose(points, points, 0.05, threshold=None, calibration=IDENTITY)

    assert found.calibration == IDENTITY


def test_the_first_stage_shifts_and_does_not_stretch() -> None:
    """And holds the shift within bounds, however one-sided the labels are."""
    points = some(30, 12)

    found = propose(points, points, 0.05, threshold=None, calibration=IDENTITY)

    assert found.stage.name == "shift"
    assert found.calibration.slope == 1.0
    hard = fit([0.01] * 90, [True] * 90, [1.0] * 90, shift_only=True)
    assert hard == Platt(1.0, 1.0)


def test_two_numbers_find_what_was_distorted() -> None:
    """Scores whose odds were halved and moved are put right, but for the pull to the global."""
    chance = random.Random(5)
    distorted = Platt(0.5, 1.0)
    true = [chance.random() for _ in range(2_000)]
    wrong = [chance.random() < p for p in true]

    found = fit([distorted.undo(p) for p in true], wrong, [1.0] * len(true), shift_only=False)

    assert found.slope == pytest.approx(0.5, abs=0.08)
    assert found.intercept == pytest.approx(1.0, abs=0.25)


def test_calibration_is_the_same_to_the_bit_and_keeps_the_order() -> None:
    points = labelled(some(80, 40))
    given = ([e.point.base for e in points], [e.truth == "misaligned" for e in points])
    found = [fit(*given, [e.weight for e in points], shift_only=False) for _ in range(2)]

    assert found[0] == found[1]
    scores = [found[0].apply(n / 100) for n in range(101)]
    assert scores == sorted(scores)


def test_the_divided_and_the_unsure_say_nothing() -> None:
    assert truth_of(point(1, 0.5, "fine", "missed", by=("a", "b"))) is None
    assert truth_of(point(1, 0.5, "unsure")) is None
    assert truth_of(point(1, 0.5, "fine", "fine", "missed", by=("a", "b", "c"))) == "aligned"


def test_no_labeller_weighs_more_than_the_share() -> None:
    totals = {"a": 1000.0, "b": 50.0, "c": 40.0, "d": 30.0, "e": 30.0}
    kept = {name: totals[name] * share for name, share in caps(totals).items()}

    assert max(kept.values()) / sum(kept.values()) <= LABELLER_SHARE + 1e-9
    assert kept["b"] == 50


@pytest.mark.parametrize("label", ["fine", "missed"])
@pytest.mark.parametrize("base", [0.02, 0.5, 0.99])
def test_a_thousand_labels_of_one_labeller_move_the_threshold_by_no_more_than_the_cap(
    label: str, base: float
) -> None:
    """S1-27: poisoning. Whatever is labelled, and however often."""
    honest = some(160, 60)
    poison = [point(1000 + n, base + n / 1e5, label, by=("mallory",)) for n in range(1000)]
    before = choose(honest, 0.05)
    after = choose([*honest, *poison], 0.05)

    assert before.basis == "labels"
    if after.base is not None:
        assert after.basis == "labels"
        assert choose(honest, 0.15).base - INFLUENCE_MAX <= after.base  # type: ignore[operator]
        assert after.base <= choose(honest, 0.05 / 3).base + INFLUENCE_MAX  # type: ignore[operator]
    else:
        assert "mallory" in after.reason


def test_a_labeller_who_stands_against_all_others_is_named() -> None:
    """The case above, for the person who has to look into it: nothing is moved meanwhile."""
    poison = [point(1000 + n, 0.99, "fine", by=("mallory",)) for n in range(1000)]
    after = choose([*some(160, 60), *poison], 0.05)

    assert (after.base, after.basis) == (None, "labels")
    assert "with labeller mallory it would be about 0.99" in after.reason


def test_a_labeller_who_leans_is_held_where_the_others_leave_off() -> None:
    """What chance would explain is let through, and what is beyond it is cut."""
    honest = some(160, 60)
    most = choose(honest, 0.05 / 3).base
    assert most is not None
    leaning = [point(1000 + n, most + 0.06, "fine", by=("eve",)) for n in range(40)]
    found = [choose([*honest, *leaning[:count]], 0.05) for count in range(1, 40)]

    assert all(each.base is not None and each.base <= most + INFLUENCE_MAX + 1e-6 for each in found)
    assert any("one labeller alone would have made it" in each.reason for each in found)


def test_a_few_labels_of_a_newcomer_cut_nobody_down() -> None:
    """The share is of those who label: one label more must not make two hundred worthless."""
    honest = some(160, 60, people=3)

    found = labelled([*honest, point(1000, 0.3, "fine", by=("new",))])

    assert stage_of(found).name == "refit"
    assert stage_of(found).effective > 200


def test_a_lone_labeller_sets_no_threshold() -> None:
    found = choose(some(160, 60, people=1), 0.05)

    assert found.basis == "history"


def test_what_later_labels_contradict_is_refused_with_figures() -> None:
    """S1-27: time-ordered. Fine calls score low at first, and high later on."""
    early = [point(n, 0.05 + n / 10_000, "fine", by=(f"p{n % 4}",)) for n in range(140)]
    wrong = [point(140 + n, 0.4, "missed", by=(f"p{n % 4}",)) for n in range(40)]
    late = [point(180 + n, 0.6 + n / 1000, "fine", by=(f"p{n % 4}",)) for n in range(70)]
    points = [*early, *wrong, *late]

    found = propose(points, points, 0.05, threshold=0.9, calibration=IDENTITY)

    assert found.calibration == IDENTITY
    assert any("Brier" in text for text in found.refused)
    assert found.validation is not None
    assert found.validation.brier_proposed > found.validation.brier_now
    assert found.threshold is None
    assert any("later fine calls" in text for text in found.refused)
    assert found.validation.fpr_proposed == 1.0


def test_what_later_labels_confirm_is_proposed() -> None:
    points = some(160, 60)

    found = propose(points, points, 0.05, threshold=0.9, calibration=IDENTITY)

    assert found.validation is not None
    assert not found.validation.threshold_refused
    assert found.base_threshold is not None
    assert 0.3 < found.base_threshold < 0.5
    assert found.threshold == found.calibration.apply(found.base_threshold)


def test_labels_of_what_was_stopped_do_not_stand_for_what_was_not() -> None:
    """S1-27: everybody labels what was stopped, and a few look at what chance chose."""
    chance = random.Random(3)
    points = []
    for n in range(4_000):
        base = chance.betavariate(2, 6)
        stopped, chosen = base > 0.5, for_review(f"dec_{n:08x}")
        labels = ("fine",) if stopped or chosen else ()
        points.append(point(n, base, *labels, by=(f"p{n % 4}",), stopped=stopped))
    every = sorted(p.base for p in points)
    points += [point(4_000 + n, 0.9, "missed", by=(f"p{n % 4}",), stopped=True) for n in range(40)]

    found = choose(points, 0.05)
    assert found.base is not None
    naive = sorted(p.base for p in points if p.votes)

    assert (found.basis, found.reason) == ("labels", "")
    assert found.base == pytest.approx(every[int(0.95 * 4_000)], abs=0.05)
    assert naive[int(0.95 * len(naive))] > found.base + 0.05


def test_chance_chooses_about_one_in_twenty_by_the_id_alone() -> None:
    chosen = sum(for_review(f"dec_{n:032x}") for n in range(20_000))

    assert 800 < chosen < 1_200
    assert for_review("dec_1") == for_review("dec_1")


def test_honest_labellers_are_not_taken_for_attackers() -> None:
    """Chance alone hardly ever makes two of them disagree."""
    chance = random.Random(9)
    found = [
        choose(history(chance, SHAPES[shape], labels=110, people=2), 0.05)
        for shape in SHAPES
        for _ in range(20)
    ]

    assert sum(each.base is not None for each in found) >= 95


def test_where_everything_is_labelled_all_labels_weigh_the_same() -> None:
    """Also those of calls that chance chose, of which there are enough here."""
    points = [structs.replace(p, stopped=p.base > 0.5) for p in some(260, 90)]
    assert sum(for_review(p.decision_id) for p in points) >= SAMPLED_MIN

    assert {round(each.weight, 6) for each in labelled(points)} == {1.0}
