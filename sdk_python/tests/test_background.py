"""Reports in the background: bounded, counted, delivered on recovery, alive after a fork."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap

import checkrein
import pytest
from checkrein import guard, run
from checkrein._breaker import Breaker
from checkrein._outbox import Outbox
from checkrein._settings import Settings
from checkrein._wire import Wire


def box(url: str, **limits: int) -> Outbox:
    return Outbox(Wire(Settings(url=url)), **limits)


def test_a_full_box_drops_the_oldest_and_counts_it(closed_port):
    """A visible counter instead of silent loss."""
    outbox = box(f"http://127.0.0.1:{closed_port}", max_items=10)

    for n in range(100):
        outbox.put("/v1/events", str(n).encode())
    outbox.flush(2.0)

    assert outbox.waiting() == 10
    assert outbox.counts["queued"] == 100
    assert outbox.counts["dropped"] == 90
    assert outbox.counts["delivered"] == 0


def test_a_box_is_bounded_in_bytes_too(closed_port):
    outbox = box(f"http://127.0.0.1:{closed_port}", max_bytes=10_000)

    for _ in range(20):
        outbox.put("/v1/events", b"x" * 1000)
    outbox.flush(2.0)

    assert outbox.waiting() <= 10
    assert outbox.counts["dropped"] >= 10


def test_everything_is_delivered_in_order_once_the_gateway_is_back(peer):
    peer.reports = peer.plain(503, {})
    outbox = box(peer.url)

    for n in range(5):
        outbox.put("/v1/events", b'{"events":[{"n":%d}]}' % n)
    assert outbox.flush(5.0) is False
    peer.reports = peer.plain(200, {})
    assert outbox.flush(5.0) is True

    seen = [batch["events"][0]["n"] for batch in peer.batches]
    assert seen[-5:] == [0, 1, 2, 3, 4]
    assert outbox.counts["delivered"] == 5


def test_what_the_gateway_refuses_is_counted_and_does_not_hold_up_the_rest(peer):
    """Poison must not block what is behind it."""
    outbox = box(peer.url)
    peer.reports = peer.plain(409, {"code": "conflict"})
    outbox.put("/v1/events", b'{"events":[]}')
    assert outbox.flush(5.0)
    peer.reports = peer.plain(200, {})
    outbox.put("/v1/events", b'{"events":[]}')

    assert outbox.flush(5.0)
    assert outbox.counts["refused"] == 1
    assert outbox.counts["delivered"] == 1


def test_flush_gives_up_at_once_when_nobody_listens(closed_port):
    outbox = box(f"http://127.0.0.1:{closed_port}")
    outbox.put("/v1/events", b"{}")

    assert outbox.flush(60.0) is False


def test_stats_show_what_went_where(peer):
    @guard
    def tool() -> None: ...

    tool()
    tool()
    assert checkrein.flush(5)

    assert checkrein.stats() == {
        "queued": 2,
        "delivered": 2,
        "refused": 0,
        "dropped": 0,
        "waiting": 0,
        "gaps": 0,
        "denied": 0,
    }


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_checks_and_reports_on_connections_of_its_own(peer):
    """pid check: the child neither uses the parent's sockets nor sends what the parent queued."""

    @guard("tool")
    def tool(who: str) -> str:
        return who

    with run("forking"):
        tool("parent before")
        checkrein.record_message("user", "noted once")
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            said = b"?"
            try:
                tool("child")
                said = b"ran" if checkrein.flush(5) else b"ran, not flushed"
            finally:
                os.write(write, said)
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            assert pipe.read() == b"ran"
        os.waitpid(pid, 0)
        tool("parent after")
    assert checkrein.flush(5)

    who = [check["action"]["arguments"]["who"] for check in peer.checks]
    assert who == ["parent before", "child", "parent after"]
    assert sorted(result["output"] for result in peer.results) == sorted(who)
    assert [event["type"] for event in peer.events].count("message") == 1


def test_what_waits_at_the_end_of_the_program_is_sent(peer):
    program = """
        from checkrein import guard, run
        @guard("tool")
        def tool(): return "out"
        with run("short"):
            tool()
    """

    done = in_a_child(program, peer.url)

    assert done.returncode == 0, done.stderr
    assert [result["output"] for result in peer.results] == ["out"]
    assert peer.events[-1]["type"] == "run_ended"


def test_a_guarded_call_at_the_very_end_of_the_program_is_still_checked(peer):
    """No threads start any more while the interpreter goes down; the check happens all the same."""
    program = """
        import atexit
        from checkrein import guard
        @guard("last")
        def last(): return "out"
        atexit.register(last)
    """

    done = in_a_child(program, peer.url)

    assert done.returncode == 0, done.stderr
    assert [check["action"]["tool"] for check in peer.checks] == ["last"]


def test_the_breaker_lets_one_probe_through_and_closes_on_success():
    clock = [100.0]
    breaker = Breaker(lambda: clock[0])

    for _ in range(5):
        assert breaker.allows()
        breaker.failed()
    assert not breaker.allows()
    clock[0] += 2.1
    assert breaker.allows()
    assert not breaker.allows()
    breaker.failed()
    clock[0] += 1.0
    assert not breaker.allows()
    clock[0] += 1.5
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows()
    assert breaker.allows()


def test_failures_far_apart_do_not_open_the_breaker():
    clock = [100.0]
    breaker = Breaker(lambda: clock[0])

    for _ in range(20):
        breaker.failed()
        clock[0] += 3.0

    assert breaker.allows()


def in_a_child(program: str, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "CHECKREIN_URL": url, "CHECKREIN_DEADLINE": "10"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_waiting_takes_no_chance_from_the_agent(closed_port):
    """What an agent seeds gives the same numbers, whatever goes on in the background."""

    @guard("tool")
    def tool() -> None: ...

    checkrein.init(url=f"http://127.0.0.1:{closed_port}", deadline=1)
    random.seed(7)
    expected = random.random()

    random.seed(7)
    for _ in range(2):
        tool()
        checkrein.flush(0.5)

    assert random.random() == expected
