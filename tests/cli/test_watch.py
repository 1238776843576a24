"""`checkrein watch`: what happens, in a terminal and for scripts, over restarts of the gateway."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

from tests.cli.commands import CHECKREIN, Done, Up, checkrein, up
from tests.cli.test_text import obeyed

SECONDS = 60


class Watching:
    """The command while it runs: its lines as they come."""

    def __init__(self, *words: str, cwd: Path, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [*CHECKREIN, "watch", *words],
            cwd=cwd,
            env=os.environ | {"COLUMNS": "300"} | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: Queue[str] = Queue()
        self.out: Queue[str] = Queue()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        pairs = ((self.process.stdout, self.out), (self.process.stderr, self.said))
        self._threads = [Thread(target=_read, args=pair, daemon=True) for pair in pairs]
        for thread in self._threads:
            thread.start()

    def line(self) -> str:
        return self.out.get(timeout=SECONDS)

    def message(self) -> Any:
        return json.loads(self.line())

    def until_said(self, words: str) -> None:
        while words not in self.said.get(timeout=SECONDS):
            pass

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(SECONDS)
        for thread in self._threads:
            thread.join(SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@contextmanager
def watching(*words: str, cwd: Path, environ: dict[str, str]) -> Iterator[Watching]:
    running = Watching(*words, cwd=cwd, environ=environ)
    try:
        running.until_said("Following")
        yield running
    finally:
        running.close()


def _read(stream: Any, lines: Queue[str]) -> None:
    for line in stream:
        lines.put(line)


def call(run: dict[str, str]) -> dict[str, Any]:
    return {"run": run, "action": {"tool": "files.read", "arguments": {}}}


def end(gateway: Up, run: str, status: str) -> None:
    import httpx2

    headers = {"authorization": f"Bearer {gateway.ready['api_key']}"}
    url = f"{gateway.ready['url']}/v1/runs/{run}/end"
    httpx2.post(url, json={"status": status}, headers=headers).raise_for_status()


def test_what_happens_is_told_a_line_each(gateway: Up, tmp_path: Path) -> None:
    with watching("watched", cwd=tmp_path, environ=gateway.environ) as seen:
        gateway.check(call({"id": "watched", "name": "orders", "agent_id": "bot"}))
        end(gateway, "watched", "failed")
        lines = [seen.line() for _ in range(3)]

    assert "run_created" in lines[0]
    assert "orders, agent bot" in lines[0]
    assert "files.read, allow" in lines[1]
    assert "run_failed" in lines[2]
    assert "actions 1" in lines[2]


def test_a_name_does_nothing_to_the_terminal(gateway: Up, tmp_path: Path) -> None:
    """S6: neither escapes nor ends of lines, of whatever kind."""
    name = "a\x1b]0;pwned\x07b\u202ec\u2028d\x85e\nf\tg"
    with watching("hostile-watched", cwd=tmp_path, environ=gateway.environ) as seen:
        gateway.check(call({"id": "hostile-watched", "name": name}))
        first, second = seen.line(), seen.line()

    assert "⟨U+001B⟩" in first
    assert "⟨U+2028⟩" in first
    assert "\\nf\\tg" in first
    assert obeyed(first, allowed="\n") == []
    assert "action_created" in second


def test_one_run_is_watched_until_it_ends(gateway: Up, tmp_path: Path) -> None:
    """The exit code says how."""
    for status, code in (("succeeded", 0), ("failed", 1)):
        with watching(f"until-{status}", cwd=tmp_path, environ=gateway.environ) as seen:
            gateway.check(call({"id": "somebody-else"}))
            gateway.check(call({"id": f"until-{status}"}))
            end(gateway, f"until-{status}", status)

            assert seen.process.wait(SECONDS) == code
            assert seen.out.qsize() == 3


def test_a_run_that_is_over_is_not_waited_for(gateway: Up, asked: Callable[..., Done]) -> None:
    gateway.check(call({"id": "over"}))
    end(gateway, "over", "failed")

    done = asked("watch", "over")

    assert done.code == 1
    assert "over is over: failed" in done.err


def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    """S3-29: what happened while nobody could follow is told when somebody can."""
    first = up(tmp_path / "data")
    port = first.ready["url"].rpartition(":")[2]
    with watching("--json", cwd=tmp_path, environ=first.environ) as seen:
        first.check(call({"id": "before"}))
        messages = [seen.message(), seen.message()]
        assert first.stop() == 0
        seen.until_said("is away")
        second = up(tmp_path / "data", "--port", port)
        key = first.ready["api_key"]
        for number in range(5):
            assert second.check(call({"id": f"after {number}"}), key=key).status_code == 200
        messages += [seen.message() for _ in range(10)]
        assert second.stop() == 0

    assert [each["type"] for each in messages] == ["run_created", "action_created"] * 6
    assert len({each["id"] for each in messages}) == 12
    assert len({each["run_id"] for each in messages}) == 6


def test_without_a_gateway_it_ends_at_once(tmp_path: Path) -> None:
    environ = {"CHECKREIN_URL": "http://127.0.0.1:9", "CHECKREIN_API_KEY": "cr_x"}

    done = checkrein("watch", "--json", cwd=tmp_path, environ=environ)

    assert done.code == 5
    assert "No gateway answers" in done.json["error"]


def test_a_place_that_nobody_told_is_a_refusal(asked: Callable[..., Done]) -> None:
    done = asked("watch", "--after", "nonsense")

    assert done.code == 1
    assert "belongs to no message" in done.err
