"""Trains the guard's heads from the cases, the same to the byte each time.

`python -m benchmarks.intent.train` writes a model folder and makes it the current one;
`--without SOURCE --to FOLDER` leaves a source out, as evaluation does; `--stamp` only gives the
current model the name that the feature code of today makes it.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.intent import breaking, data, deferring
from benchmarks.intent.data import PLANTED, Case
from gateway.intent import evaluator, versions
from gateway.intent.canaries import CANARIES
from gateway.intent.evaluator import COVERED, Seen

FOLDS = 5
FLOOR = 0.97
# What a row that training made counts, beside one that was there.
MADE = 0.15
# The size of a kind that none of the cases is of.
USUAL = 1_500
PACKAGE = "v1"
TREES = {"plan": 60, "attribution": 120, "consistency": 200, "score": 120}
GROWN: dict[str, Any] = {
    "learning_rate": 0.08,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 40,
    "l2_regularization": 5.0,
    "max_bins": 64,
    "early_stopping": False,
    "random_state": 20261127,
}
# Each tree of the score sees a quarter of the features anew at each split, so that no few of them
# are all that it relies on.
SCORE: dict[str, Any] = GROWN | {"learning_rate": 0.1, "max_features": 0.25}


def installed() -> bool:
    """Whether what training needs is there; the gateway itself needs none of it."""
    return find_spec("sklearn") is not None


class Rows:
    """Cases as the numbers that training takes."""

    def __init__(self, cases: list[Case], seen: list[Seen]) -> None:
        self.numpy: Any = import_module("numpy")
        self.cases = cases
        self.evidence = [data.evidence_of_case(case) for case in cases]
        self.seen = seen
        self.wrong = self.numpy.array([case.wrong for case in cases], dtype=float)
        self.folds = self.numpy.array([_fold(case.group) for case in cases])
        self.weights = self.numpy.array(_weights(cases))

    def only(self, which: list[int]) -> Rows:
        return Rows([self.cases[i] for i in which], [self.seen[i] for i in which])


def everything() -> Rows:
    """All cases, and the rows that are made of them."""
    cases = data.cases()
    more = [*deferring.made(cases), *breaking.made(cases)]
    return Rows([*cases, *more], [*data.features(cases), *data.features(more)])


def train(rows: Rows, scale: float = 1.0, heads: bool = True) -> dict[str, Any]:
    """A model as its file holds it. `scale` makes it smaller, and no heads leave the score."""
    directions = directions_of(PACKAGE)
    with import_module("threadpoolctl").threadpool_limits(1):
        stored: dict[str, Any] = {"package": PACKAGE, "forests": {}, "calibrators": {}}
        for name, ways in directions.items() if heads else ():
            _head(rows, name, ways, stored, scale)
        _score(rows, directions, stored, scale)
    stored |= {"weights": {}, "floor": FLOOR}
    return stored


def directions_of(package: str) -> dict[str, dict[str, int]]:
    """The features of each head, with the way each may push."""
    return {
        name: {f"{name}.{key}": int(way) for key, way in sorted(module.FEATURES.items())}
        for name, module in evaluator.modules(package).items()
    }


def _head(
    rows: Rows, name: str, directions: dict[str, int], stored: dict[str, Any], scale: float
) -> None:
    """Grow a head, and calibrate it on what it never saw."""
    numpy = rows.numpy
    matrix = _matrix(rows, [seen.features for seen in rows.seen], directions)
    usable = numpy.array(
        [
            evaluator.assessable(name, evidence) and _tells(name, case)
            for case, evidence in zip(rows.cases, rows.evidence, strict=True)
        ]
    )
    count = max(2, round(TREES[name] * scale))
    held = _out_of_fold(rows, matrix, usable, directions, count)
    stored["forests"][name] = _grow(rows, matrix, usable, directions, count)
    stored["calibrators"][name] = platt(rows, held, usable)


def _tells(head: str, case: Case) -> bool:
    """Whether a case is a fair example for a head."""
    if head == "plan":
        return not (case.wrong and case.plan_is_wrong)
    if head == "attribution":
        return not case.wrong or case.kind in PLANTED
    return case.kind not in PLANTED


def _score(
    rows: Rows, directions: dict[str, dict[str, int]], stored: dict[str, Any], scale: float
) -> None:
    """The score's own forest, over all features and what evidence there was.

    It does not see the heads: what they say of cases like those that they grew on is surer than
    what they say of a source that nobody has seen, and a step on top of them learns to rely on it.
    For the same reason its log-odds are taken as they are, at even odds of right and wrong: every
    curve fitted to left-out sources was further off on the next one.
    """
    numpy = rows.numpy
    ways = {key: way for one in directions.values() for key, way in one.items()}
    ways |= dict.fromkeys(COVERED, 0)
    values = [
        evaluator.with_coverage(evidence, seen.features)
        for evidence, seen in zip(rows.evidence, rows.seen, strict=True)
    ]
    matrix, count = _matrix(rows, values, ways), max(2, round(TREES["score"] * scale))
    everything = numpy.ones(len(rows.cases), dtype=bool)
    stored["forests"]["score"] = _grow(rows, matrix, everything, ways, count, SCORE)
    stored["calibrators"]["score"] = {"type": "platt", "slope": 1.0, "intercept": 0.0}


def _matrix(rows: Rows, values: list[dict[str, float]], names: dict[str, int]) -> Any:
    return rows.numpy.array([[one.get(name, 0.0) for name in names] for one in values])


def _out_of_fold(rows: Rows, matrix: Any, usable: Any, ways: dict[str, int], count: int) -> Any:
    """Log-odds of every case from a forest that saw nothing of its group."""
    held = rows.numpy.zeros(len(rows.cases))
    for fold in range(FOLDS):
        inside = rows.folds == fold
        if inside.any():
            held[inside] = raw(fit(rows, matrix, usable & ~inside, ways, count), matrix[inside])
    return held


def fit(
    rows: Rows,
    matrix: Any,
    usable: Any,
    ways: dict[str, int],
    count: int,
    grown: dict[str, Any] = GROWN,
) -> Any:
    grower = import_module("sklearn.ensemble").HistGradientBoostingClassifier(
        max_iter=count, monotonic_cst=list(ways.values()), **grown
    )
    return grower.fit(matrix[usable], rows.wrong[usable], sample_weight=rows.weights[usable])


# What a fitted forest is made of has no public name in scikit-learn; its version is pinned.


def raw(grown: Any, matrix: Any) -> Any:
    """The library's own log-odds."""
    return grown._raw_predict(matrix)[:, 0]  # noqa: SLF001


def _grow(
    rows: Rows,
    matrix: Any,
    usable: Any,
    ways: dict[str, int],
    count: int,
    grown: dict[str, Any] = GROWN,
) -> Any:
    return forest_data(fit(rows, matrix, usable, ways, count, grown), ways)


def forest_data(grown: Any, ways: dict[str, int]) -> dict[str, Any]:
    """A grown forest in the form that the gateway walks."""
    return {
        "features": list(ways),
        "directions": list(ways.values()),
        "base": float(grown._baseline_prediction[0, 0]),  # noqa: SLF001
        "trees": [_tree(one.nodes, 0) for (one,) in grown._predictors],  # noqa: SLF001
    }


def _tree(nodes: Any, at: int) -> Any:
    node = nodes[at]
    if node["is_leaf"]:
        return float(node["value"])
    return [
        int(node["feature_idx"]),
        float(node["num_threshold"]),
        _tree(nodes, int(node["left"])),
        _tree(nodes, int(node["right"])),
    ]


def platt(rows: Rows, log_odds: Any, usable: Any) -> dict[str, Any]:
    """A line through out-of-fold log-odds, both labels weighing the same: a head is no verdict."""
    line = import_module("sklearn.linear_model").LogisticRegression(C=1e3, class_weight="balanced")
    line.fit(log_odds[usable].reshape(-1, 1), rows.wrong[usable])
    slope = max(0.0, float(line.coef_[0, 0]))
    return {"type": "platt", "slope": slope, "intercept": float(line.intercept_[0])}


def _fold(group: str) -> int:
    return hashlib.sha256(group.encode()).digest()[0] % FOLDS


def _weights(cases: list[Case]) -> list[float]:
    """Each family, and each kind within its label, counts by the root of its size.

    What was made comes on top: it takes no weight from what was there.
    """
    families: dict[str, int] = {}
    kinds: dict[str, int] = {}
    for case in cases:
        if not case.made:
            families[case.family] = families.get(case.family, 0) + 1
            kinds[case.kind] = kinds.get(case.kind, 0) + 1
    raw = [
        (MADE if case.made else 1.0) * (families[case.family] * kinds.get(case.kind, USUAL)) ** -0.5
        for case in cases
    ]
    labels: dict[str, float] = {}
    for case, weight in zip(cases, raw, strict=True):
        if not case.made:
            labels[case.label] = labels.get(case.label, 0.0) + weight
    half = sum(not case.made for case in cases) / 2
    return [half * w / labels[case.label] for case, w in zip(cases, raw, strict=True)]


def write(stored: dict[str, Any], folder: Path | None = None) -> str:
    """Write a model to a folder, or under its version among the gateway's models."""
    written = msgspec.json.encode(stored)
    version = versions.version_of(versions.model_of(written))
    folder = folder or versions.MODELS / version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_bytes(written + b"\n")
    if folder.parent == versions.MODELS:
        parts = versions.parts_of(versions.model_of(written))
        (folder / "parts.json").write_bytes(msgspec.json.format(msgspec.json.encode(parts)) + b"\n")
        record(folder, version)
        versions.CURRENT.write_text(f"{version}\n")
    return version


def record(folder: Path, version: str) -> None:
    """Keep what the version says of the known cases: it must say the same for ever."""
    current = evaluator.load(str(folder))
    said = {case.name: current.assess(case.evidence) for case in CANARIES}
    assert current.version == version
    encoded = msgspec.json.encode({name: [one.score, one.heads] for name, one in said.items()})
    (folder / "recorded.json").write_bytes(msgspec.json.format(encoded) + b"\n")


def stamp() -> str:
    """Give the current model the name that today's feature code makes it."""
    old = versions.MODELS / versions.CURRENT.read_text().strip()
    stored = msgspec.json.decode((old / "model.json").read_bytes())
    version = write(stored)
    if version != old.name:
        shutil.rmtree(old)
    return version


def main(argv: list[str]) -> int:
    told = argparse.ArgumentParser(prog="python -m benchmarks.intent.train")
    told.add_argument("--without", choices=data.FAMILIES)
    told.add_argument("--to", type=Path)
    told.add_argument("--stamp", action="store_true")
    args = told.parse_args(argv)
    if args.stamp:
        print(stamp())
        return 0
    rows = everything()
    if args.without:
        rows = rows.only([i for i, case in enumerate(rows.cases) if case.family != args.without])
    print(write(train(rows), args.to))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
