"""Versions: each names all that made a score, and each committed one still gives the same."""

import json
import shutil
from typing import Any

import pytest

from gateway.intent import evaluator, versions
from gateway.intent.calibrators import Platt
from gateway.intent.canaries import CANARIES

CURRENT = versions.CURRENT.read_text().strip()


@pytest.mark.parametrize("version", versions.versions())
def test_a_committed_version_gives_its_recorded_scores_to_the_bit(version):
    recorded = json.loads((versions.MODELS / version / "recorded.json").read_bytes())
    loaded = evaluator.load(version)
    assert loaded.version == version
    for case in CANARIES:
        said = loaded.assess(case.evidence)
        heads = {name: getattr(said.heads, name) for name in evaluator.HEADS}
        if case.name in recorded:
            assert [said.score, heads] == recorded[case.name], case.name
    assert recorded


def test_the_current_version_is_one_of_those_committed():
    assert evaluator.load().version == CURRENT
    assert CURRENT in versions.versions()


def test_a_version_changes_with_each_of_its_parts():
    model = versions.read_model()
    fields = ("package", "forests", "weights", "calibrators", "floor")
    held: dict[str, Any] = {name: getattr(model, name) for name in fields}
    forest = model.forests["score"]
    trees = type(forest)(forest.features, forest.directions, forest.base + 0.1, forest.trees)
    changed: list[dict[str, Any]] = [
        {"forests": model.forests | {"score": trees}},
        {"calibrators": model.calibrators | {"plan": Platt(1.0, 0.123)}},
        {"floor": 0.5},
    ]
    found = {versions.version_of(versions.Model(**(held | one))) for one in [{}, *changed]}
    assert len(found) == 4
    one = versions.parts_of(versions.Model(**(held | changed[0])))
    now = versions.parts_of(model)
    assert one.trees != now.trees
    assert (one.code, one.lexicons, one.calibrators) == (now.code, now.lexicons, now.calibrators)


def test_a_model_loads_from_a_folder_of_ones_own(tmp_path):
    shutil.copy(versions.MODELS / CURRENT / "model.json", tmp_path)
    assert evaluator.load(str(tmp_path)).version == CURRENT


def test_a_model_whose_code_has_gone_is_refused_by_name(tmp_path):
    version = CURRENT
    other = "v1-" + "0" * 12
    shutil.copytree(versions.MODELS / version, tmp_path / other)
    with pytest.raises(versions.VersionNotFound, match=f"it is {version} now"):
        versions.read_model(other, tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"package": "v1"}'])
def test_a_broken_model_is_refused(tmp_path, text):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(versions.VersionNotFound):
        evaluator.load(str(tmp_path))


def test_a_model_may_not_name_other_code(tmp_path):
    stored = json.loads((versions.MODELS / CURRENT / "model.json").read_bytes())
    for package in ("os", "../v1", "v1.text"):
        (tmp_path / "model.json").write_text(json.dumps(stored | {"package": package}))
        with pytest.raises(versions.VersionNotFound):
            evaluator.load(str(tmp_path))


def test_an_unknown_version_is_refused():
    with pytest.raises(versions.VersionNotFound):
        evaluator.load("v1-nothing")
