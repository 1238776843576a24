"""`checkrein erase`: said first, done when told to, on a folder that a gateway left."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import checkrein, up

CANARY = "canary-5512-erase-by-command"


def test_a_run_a_person_and_a_project_are_erased_when_told_to(tmp_path: Path):
    running = up(tmp_path / "data")
    action = {"tool": "files.read", "arguments": {"path": CANARY}}
    for name, user in (("one", "u_1"), ("two", "u_2"), ("three", "u_3")):
        running.check({"action": action, "run": {"id": name, "user_id": user}})
    busy = checkrein("erase", "run", "one", "--yes", "--data", running.data, cwd=tmp_path)
    assert running.stop() == 0
    at = ("--data", running.data)
    unasked = checkrein("erase", "run", "one", "--json", *at, cwd=tmp_path)
    before = checkrein("replay", "one", "--json", *at, cwd=tmp_path)

    run = checkrein("erase", "run", "one", "--yes", "--json", *at, cwd=tmp_path)
    person = checkrein("erase", "subject", "u_2", "--yes", *at, cwd=tmp_path)
    wrong = checkrein("erase", "project", "prj_x", "--yes", *at, cwd=tmp_path)
    unknown = checkrein("erase", "run", "never", "--yes", *at, cwd=tmp_path)
    after = checkrein("replay", "one", "--json", *at, cwd=tmp_path)
    kept = checkrein("replay", "three", "--json", *at, cwd=tmp_path)
    verified = checkrein("verify", "--json", *at, cwd=tmp_path)

    assert (busy.code, unasked.code, wrong.code, unknown.code) == (2, 2, 2, 4)
    assert (run.code, run.json["done"], run.json["run_count"]) == (0, True, 1)
    assert (person.code, "1 runs" in person.out) == (0, True), person.out
    assert "destroys the content of" in person.err
    assert (CANARY in before.out, CANARY in after.out, CANARY in kept.out) == (True, False, True)
    assert (verified.json["ok"], verified.json["erased"]) == (True, 2)
