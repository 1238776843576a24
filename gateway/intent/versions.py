"""What a version of the guard is: feature code, lexicons, trees and calibrators, each hashed.

A decision stores the version. An old one stays loadable as long as its folder and its feature
package are there, and gives the same score to the bit; a model whose code has changed since is
refused by name rather than run under a name that is no longer its own.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway.intent.calibrators import Calibrator
from gateway.intent.trees import Forest, Grove, forest_of

HERE = Path(__file__).parent
MODELS = HERE / "models"
CURRENT = MODELS / "current"
PACKAGES = ("v1",)
# What every package's scores go through as well.
SHARED = tuple(HERE / name for name in ("calibrators.py", "evaluator.py", "trees.py"))


class VersionNotFound(Exception):
    """No model has this version, or its feature code is not the one it was trained on."""


class Model(Struct, frozen=True):
    """The trained part. `forests` and `calibrators` hold one for each head and one for `score`.

    `groves` are the forests as they are asked, made from them.
    """

    package: str
    forests: dict[str, Forest]
    weights: dict[str, float]
    calibrators: dict[str, Calibrator]
    floor: float
    groves: dict[str, Grove] = {}

    def __post_init__(self) -> None:
        groves = {name: Grove(forest) for name, forest in self.forests.items()}
        msgspec.structs.force_setattr(self, "groves", groves)


class Parts(Struct, frozen=True):
    """The hash of each part, so that two versions can be told apart by what changed."""

    code: str
    lexicons: str
    trees: str
    calibrators: str


class Stored(Struct, frozen=True, forbid_unknown_fields=True):
    """A model as its file holds it."""

    package: str
    forests: dict[str, Any]
    weights: dict[str, float]
    calibrators: dict[str, Calibrator]
    floor: float


def read_model(version: str | None = None, models: Path = MODELS) -> Model:
    """A model by its version, by its folder's path, or the current one.

    Only what is asked for by its version is refused when it is no longer that: the current one is
    whatever runs, and says so by the version that it then has.
    """
    name = version or CURRENT.read_text().strip()
    by_path = "/" in name
    folder = Path(name) if by_path else models / name
    try:
        model = model_of((folder / "model.json").read_bytes())
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise VersionNotFound(f"no model of the intent guard at {folder}: {error}") from error
    if version and not by_path and (found := version_of(model)) != name:
        raise VersionNotFound(f"{name} was trained on other code or data files: it is {found} now")
    return model


def model_of(data: bytes) -> Model:
    """The model that a file's bytes hold."""
    stored = msgspec.json.decode(data, type=Stored)
    if stored.package not in PACKAGES:
        raise VersionNotFound(f"no feature package {stored.package!r}")
    if any(weight < 0 for weight in stored.weights.values()):
        raise ValueError("a weight below zero would turn a head's order round")
    return Model(
        package=stored.package,
        forests={name: forest_of(data) for name, data in stored.forests.items()},
        weights=stored.weights,
        calibrators=stored.calibrators,
        floor=stored.floor,
    )


def version_of(model: Model) -> str:
    """`v1-` and twelve digits over all parts."""
    parts = parts_of(model)
    return f"{model.package}-{_digest(msgspec.json.encode(parts))[:12]}"


def parts_of(model: Model) -> Parts:
    """The hash of each part of a model."""
    return Parts(
        code=_digest_of_files([*(HERE / model.package).glob("*.py"), *SHARED]),
        lexicons=_digest_of_files((HERE / "lexicons").glob("*.json")),
        trees=_digest(msgspec.json.encode(model.forests, order="sorted")),
        calibrators=_digest(
            msgspec.json.encode([model.calibrators, model.weights, model.floor], order="sorted")
        ),
    )


def versions() -> list[str]:
    """Every version whose folder is here."""
    return sorted(path.parent.name for path in MODELS.glob("*/model.json"))


def _digest_of_files(paths: Any) -> str:
    whole = hashlib.sha256()
    for path in sorted(paths):
        data = path.read_bytes()
        whole.update(f"{path.name}\0{len(data)}\0".encode())
        whole.update(data)
    return whole.hexdigest()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
