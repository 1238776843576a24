"""A proposal becomes a policy version, and one step back gives the version of before."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.calibrating.applying import HISTORY, apply, rollback
from gateway.calibrating.current import block_after, current
from gateway.calibrating.platt import IDENTITY, Platt
from gateway.calibrating.proposal import propose
from gateway.errors import PolicyInvalid
from gateway.policies import source
from tests.calibrating.cases import point
from tests.policies.folders import write

TEXT = """\
environments:
  production:
    mode: block  # as agreed
    thresholds: {payment: 0.8, "*": 0.9}
"""
BLOCK = {"thresholds": {"payment": 0.7}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "policies", {"policy.yaml": TEXT})


def test_a_rollback_gives_the_very_version_of_before(folder: Path) -> None:
    before = source.read(folder)

    done = apply(folder, "production", "prj_1", BLOCK, at="now")
    assert source.read(folder).digest == done.digest != before.digest
    back = rollback(folder)

    assert source.read(folder).files == before.files
    assert (back.digest, back.digest_before) == (before.digest, done.digest)
    with pytest.raises(PolicyInvalid, match="left to undo"):
        rollback(folder)


def test_changes_are_taken_back_one_by_one(folder: Path) -> None:
    digests = [source.read(folder).digest]
    for n in (6, 5, 4):
        block = {"thresholds": {"payment": n / 10}}
        digests.append(apply(folder, "production", "prj_1", block, at="now").digest)

    assert [rollback(folder).digest for _ in range(3)] == digests[-2::-1]


def test_what_others_changed_since_stays(folder: Path) -> None:
    """Then the project's block alone is what it was."""
    apply(folder, "production", "prj_1", BLOCK, at="now")
    apply(folder, "production", "prj_1", {"thresholds": {"payment": 0.6}}, at="now")
    path = folder / "policy.yaml"
    path.write_text(path.read_text() + "data: {x: 1}\n")

    back = rollback(folder)

    assert back.block == BLOCK
    assert "data: {x: 1}" in path.read_text()


def test_the_history_is_no_part_of_a_version(folder: Path) -> None:
    apply(folder, "production", "prj_1", BLOCK, at="now")

    assert (folder / HISTORY).is_file()
    assert set(source.read(folder).files) == {"policy.yaml"}


def test_a_policy_that_would_be_wrong_is_not_written(folder: Path) -> None:
    wrong = {"thresholds": {"payment": 7}}

    with pytest.raises(PolicyInvalid):
        apply(folder, "production", "prj_1", wrong, at="now")

    assert (folder / "policy.yaml").read_text() == TEXT
    assert not (folder / HISTORY).exists()


def test_a_projects_own_thresholds_stand_over_the_environments(folder: Path) -> None:
    apply(folder, "production", "prj_1", {"thresholds": {"payment": 0.7}}, at="now")
    files = source.read(folder).files

    assert current(files, "production", "prj_1").thresholds == {"payment": 0.7, "*": 0.9}
    assert current(files, "production", "prj_2").thresholds == {"payment": 0.8, "*": 0.9}
    assert current(files, "production", "prj_2").base("read") == 0.9
    assert current(files, "elsewhere", "prj_1").thresholds == {}


def test_thresholds_move_along_with_a_new_calibration(folder: Path) -> None:
    """So what the others catch stays the same."""
    now = current({"policy.yaml": TEXT}, "production", "prj_1")
    points = [point(n, n / 200, "missed" if n % 4 else "fine", by=("a",)) for n in range(60)]
    found = propose(points, points, 0.05, threshold=now.base("payment"), calibration=IDENTITY)

    block = block_after(now, found, "payment")

    new = Platt(block["calibration"]["score"]["slope"], block["calibration"]["score"]["intercept"])
    assert new == found.calibration != IDENTITY
    assert block["thresholds"]["*"] == new.apply(0.9)
    assert block["calibration"]["score"]["labels"] == 60


def test_what_calls_that_read_are_held_to_does_not_move_with_the_score(folder: Path) -> None:
    """They are held to heads, which a calibration of the score does not touch."""
    now = current({"policy.yaml": TEXT}, "production", "prj_1")
    points = [point(n, n / 200, "missed" if n % 4 else "fine", by=("a",)) for n in range(60)]
    found = propose(points, points, 0.05, threshold=now.base("payment"), calibration=IDENTITY)

    block = block_after(now, found, "payment")

    assert block["thresholds"]["read"] == 0.9 != block["thresholds"]["*"]


def test_heads_that_were_calibrated_stay_so(folder: Path) -> None:
    block = {
        "thresholds": {"payment": 0.7},
        "calibration": {"plan": {"slope": 1.5, "intercept": 0.25, "labels": 400}},
    }
    apply(folder, "production", "prj_1", block, at="now")
    now = current(source.read(folder).files, "production", "prj_1")
    points = [point(n, n / 200) for n in range(60)]

    found = propose(points, points, 0.05, threshold=now.base("payment"), calibration=IDENTITY)

    assert block_after(now, found, "payment")["calibration"] == block["calibration"]
