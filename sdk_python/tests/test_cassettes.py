"""Cassette files: read strictly where it counts; whatever stands in one, nothing else happens."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import checkrein
import pytest
from checkrein import guard, run
from checkrein.simulating import CallLeft, NotReplayable, RecordedError, RecordingUnreadable

DECISION = {"decision_id": "dec_1", "enforced": "allow", "verdict": "allow", "mode": "block"}


def call(**more: Any) -> dict[str, Any]:
    made = {
        "run_id": "run_1",
        "seq": 2,
        "begins": 2,
        "ends": 3,
        "tool": "crm.read",
        "arguments": {"id": 1},
        "arguments_digest": "",
        "decision": DECISION,
        "outcome": "returned",
        "started_at": "2026-11-20T12:00:00.000000Z",
        "output": "Ada",
    }
    return {**made, **more}


def cassette(folder: Path, *calls: dict[str, Any], **more: Any) -> Path:
    made = {
        "format": "checkrein.recording",
        "version": 1,
        "run": {"run_id": "run_1", "started_at": "2026-11-20T12:00:00.000000Z"},
        "calls": calls,
        "a_field_of_tomorrow": 1,
        **more,
    }
    path = folder / "run.json"
    path.write_text(json.dumps(made))
    return path


@guard("crm.read", side_effects=["read"])
def read(id: int) -> str:
    raise AssertionError("must not run")


def test_a_cassette_needs_no_gateway_and_no_settings(tmp_path, monkeypatch):
    """U6: offline, from a file; what a later version adds is passed over."""
    monkeypatch.setenv("CHECKREIN_URL", "not an address")

    with checkrein.simulate(cassette(tmp_path, call(a_field_of_tomorrow=1))) as simulation, run():
        assert read(1) == "Ada"
    assert simulation.report.ok


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"version": 2}, "this reads checkrein.recording 1"),
        ({"format": "har"}, "this reads"),
        ({"calls": [{}]}, "is no recording"),
        ({"calls": [call(outcome="flew")]}, "is no recording"),
        ({"calls": [call(decision={"enforced": 1})]}, "a decision that is none"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, more, told):
    path = cassette(tmp_path, **more)

    with pytest.raises(RecordingUnreadable, match=told), checkrein.simulate(path):
        pass


def test_a_file_that_is_not_there_and_one_that_is_no_json(tmp_path):
    (tmp_path / "run.json").write_text("[" * 100_000)

    for name in ("run.json", "absent.json"):
        with pytest.raises(RecordingUnreadable), checkrein.simulate(tmp_path / name):
            pass


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "eval", "__import__", ""])
def test_a_recorded_error_of_any_name_is_an_exception_and_no_more(tmp_path, kind):
    error = {"type": kind, "message": "m"}
    path = cassette(tmp_path, call(outcome="raised", error=error, output=None))

    with checkrein.simulate(path), run(), pytest.raises(RecordedError) as raised:
        read(1)
    assert type(raised.value) is RecordedError


def test_a_word_for_enforced_that_is_not_known_is_a_block(tmp_path):
    decision = {**DECISION, "enforced": "quarantine"}
    path = cassette(tmp_path, call(outcome="stopped", decision=decision, output=None))

    with checkrein.simulate(path), run(), pytest.raises(checkrein.Blocked):
        read(1)


def test_a_call_that_ran_without_a_decision_is_known_by_its_digest(tmp_path):
    digest = "24b5a8d8ae4a2a1b2f9b5d4e0f6e3f3e9f0c2c5a6ef1f5c4b6d6c3b8b8f0d2aa"
    gap = {"decision": None, "outcome": "unknown", "not_stored": "ran without a decision"}
    path = cassette(tmp_path, call(arguments=None, arguments_digest=digest, **gap))

    with checkrein.simulate(path) as simulation, run(), pytest.raises(NotReplayable):
        read(1)
    # The digest is of other arguments.
    assert [one.kind for one in simulation.report.divergences] == ["input"]


def test_the_table_shows_no_control_characters(tmp_path):
    evil = "\x1b[31m\u202e\n"
    path = cassette(tmp_path, call(arguments={"id": evil}, tool="crm.read"), call(tool=evil))

    with checkrein.simulate(path) as simulation, run():
        read(1)
    assert all(line.isprintable() for line in simulation.report.table().split("\n"))


def test_an_event_loop_with_sockets_of_its_own_is_guarded_too(tmp_path):
    uvloop = pytest.importorskip("uvloop")

    async def agent(path: Path) -> tuple[str, ...]:
        async with checkrein.simulate(path) as simulation:
            with pytest.raises(CallLeft):
                await asyncio.open_connection("127.0.0.1", 9)
            with pytest.raises(CallLeft):
                await asyncio.get_running_loop().getaddrinfo("example.invalid", 80)
        return simulation.report.refused

    refused = uvloop.run(agent(cassette(tmp_path, call())))

    assert refused == ("127.0.0.1:9", "example.invalid:80")
