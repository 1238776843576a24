"""`checkrein determinism`: a score with its issues, over HTTP and from the folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from tests.cli.commands import Done, Up

Asked = Callable[..., Done]


def test_a_clock_in_a_call_is_told_with_what_to_write_instead(asked: Asked, gateway: Up) -> None:
    arguments = {"at": datetime.now(UTC).isoformat()}
    gateway.check({"run": {"id": "clock"}, "action": {"tool": "x.read", "arguments": arguments}})

    done = asked("determinism", "clock")
    told = asked("determinism", "clock", "--json")
    from_folder = asked("determinism", "clock", "--data", gateway.data, "--json")

    assert done.code == 0
    assert "92 of 100, deterministic" in done.out
    assert "datetime.now()" in done.out
    assert told.json == from_folder.json
    assert told.json["issues"][0]["place"] == "/at"
