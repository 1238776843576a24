"""How much each label counts: for those that nobody labelled, and for no labeller too much.

Labels are not a fair sample: what was stopped is looked at, what was let through is not. So each
group's labels stand for the whole group. And a labeller may be careless or an attacker: no one's
labels together weigh more than a share of all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct, structs

from gateway.calibrating.points import REVIEW_SHARE, Point, Truth, for_review, truth_of

# The most that one labeller's labels weigh among four or more; among two or three it is a half.
LABELLER_SHARE: Final = 0.3
FEW_SHARE: Final = 0.5
# Whoever gave fewer labels is neither a second opinion nor a danger: their labels count as they
# are, and nobody is cut down to them.
LABELS_MIN: Final = 10
# A group's labels stand for at most so many times the group that is labelled best.
RATIO_MAX: Final = 1 / REVIEW_SHARE
# So many labels of calls that chance chose, before these alone stand for what was let through.
SAMPLED_MIN: Final = 10


class Labelled(Struct, frozen=True):
    """A point with its truth and its weight. Weights are about 1, and never more in sum than
    there are labels."""

    point: Point
    truth: Truth
    weight: float
    labellers: tuple[str, ...]


def labelled(points: Sequence[Point]) -> tuple[Labelled, ...]:
    """The labelled points, oldest first, weighed."""
    known = [(point, truth) for point in points if (truth := truth_of(point)) is not None]
    known.sort(key=lambda pair: (pair[0].at, pair[0].decision_id))
    groups = _representing(points, [point for point, _ in known])
    shares = _within_shares([point for point, _ in known])
    return tuple(
        Labelled(point, truth, groups[place] * shares[place], _labellers(point))
        for place, (point, truth) in enumerate(known)
    )


def without(points: Sequence[Point], labeller: str) -> list[Point]:
    """The same history, had this labeller said nothing."""
    return [
        structs.replace(point, votes=tuple(v for v in point.votes if v.labeller != labeller))
        for point in points
    ]


def effective(found: Sequence[Labelled]) -> float:
    """How many equally weighed labels would tell as much (Kish)."""
    total = sum(each.weight for each in found)
    squares = sum(each.weight**2 for each in found)
    return total**2 / squares if squares else 0.0


def is_selective(points: Sequence[Point]) -> bool:
    """Whether what was let through is known by labels that nobody chose by chance."""
    let_through = [p for p in points if not p.stopped and truth_of(p) is not None]
    return sum(for_review(p.decision_id) for p in let_through) < min(SAMPLED_MIN, len(let_through))


def caps(totals: Mapping[str, float]) -> dict[str, float]:
    """Each labeller's share of their own weight that counts.

    The heaviest are cut until none weighs more than the share of what is left of all.
    """
    known = [(name, total) for name, total in totals.items() if total >= LABELS_MIN]
    ordered = sorted(known, key=lambda pair: (-pair[1], pair[0]))
    share = LABELLER_SHARE if len(ordered) > 3 else FEW_SHARE
    if len(ordered) < 2:
        return dict.fromkeys(totals, 1.0)
    level = ordered[0][1]
    for cut in range(1, len(ordered)):
        rest = sum(total for _, total in ordered[cut:])
        if share * cut >= 1:
            level = ordered[cut][1]
            break
        level = share * rest / (1 - share * cut)
        if level >= ordered[cut][1]:
            break
    return dict.fromkeys(totals, 1.0) | {name: min(1.0, level / total) for name, total in ordered}


def _representing(points: Sequence[Point], known: Sequence[Point]) -> list[float]:
    """The inverse of how much of its group is labelled, on average 1.

    Once chance chose enough of the labelled, these stand for what nobody labelled, and the others
    for themselves: where everything is labelled, all weigh the same.
    """
    sampled = sum(not p.stopped and for_review(p.decision_id) for p in known)
    by_chance = sampled >= SAMPLED_MIN
    stopped, passed = sum(p.stopped for p in known), sum(not p.stopped for p in points)
    of = {
        "stopped": sum(p.stopped for p in points) / max(stopped, 1),
        "passed": (passed - (len(known) - stopped - sampled)) / sampled
        if by_chance
        else passed / max(len(known) - stopped, 1),
    }
    least = min([of["stopped"]] * bool(stopped) + [of["passed"]] * (len(known) > stopped) or [1.0])
    found = []
    for point in known:
        inverse = of["stopped" if point.stopped else "passed"] / least
        # A person's own choice among what chance did not choose speaks for itself alone.
        if by_chance and not point.stopped and not for_review(point.decision_id):
            inverse = 1.0
        found.append(min(inverse, RATIO_MAX))
    mean = sum(found) / len(found) if found else 1.0
    return [weight / mean for weight in found]


def _within_shares(known: Sequence[Point]) -> list[float]:
    totals: dict[str, float] = defaultdict(float)
    for point in known:
        for name in _labellers(point):
            totals[name] += 1 / len(_labellers(point))
    kept = caps(totals)
    return [
        sum(kept[name] for name in _labellers(point)) / len(_labellers(point)) for point in known
    ]


def _labellers(point: Point) -> tuple[str, ...]:
    """Those whose word counts: whoever is unsure says nothing."""
    return tuple(sorted({vote.labeller for vote in point.votes if vote.label != "unsure"}))
