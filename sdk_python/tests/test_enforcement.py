"""E1 and E4: the body never runs when the gateway stops a call, in whatever form it is made."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from checkrein import ApprovalRequired, Blocked, Halted, guard, run

STOPS = {
    "block": Blocked,
    "halt": Halted,
    "require_approval": ApprovalRequired,
    "quarantine_of_tomorrow": Blocked,
    "ALLOW": Blocked,
    "": Blocked,
}
APPROVAL = {"id": "apr_1", "url": "http://x/apr_1", "expires_at": "2026-11-20T12:00:00Z"}


class Bench:
    """Counts how often a body ran, in each form of function."""

    def __init__(self) -> None:
        self.ran: list[Any] = []

    @guard
    def method(self, a: int) -> int:
        self.ran.append(a)
        return a

    @guard
    async def coroutine(self, a: int) -> int:
        self.ran.append(a)
        return a

    @guard
    def generator(self, a: int) -> Iterator[int]:
        self.ran.append(a)
        yield a

    @guard
    async def async_generator(self, a: int) -> AsyncIterator[int]:
        self.ran.append(a)
        yield a

    @guard("nested")
    def outer(self, a: int) -> int:
        return self.method(a)

    async def _all(self, a: int) -> None:
        async for _ in self.async_generator(a):
            pass

    def call(self, form: str) -> None:
        if form == "coroutine":
            asyncio.run(self.coroutine(1))
        elif form == "async_generator":
            asyncio.run(self._all(1))
        elif form == "generator":
            list(self.generator(1))
        else:
            self.method(1)


FORMS = ["method", "coroutine", "generator", "async_generator"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("enforced", STOPS)
@pytest.mark.parametrize("environment", ["development", "production"])
def test_the_body_never_runs_when_a_call_is_stopped(peer, form, enforced, environment):
    """E1; E4: a word that this version does not know is a block, in every environment."""
    peer.configure(environment=environment)
    approval = APPROVAL if enforced == "require_approval" else None
    peer.default = peer.decision(enforced, approval=approval)
    bench = Bench()

    with pytest.raises(STOPS[enforced]):
        bench.call(form)

    assert bench.ran == []
    assert len(peer.checks) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("enforced", ["allow", "warn"])
def test_the_body_runs_once_when_a_call_is_let_through(peer, form, enforced):
    peer.default = peer.decision(enforced)
    bench = Bench()

    bench.call(form)

    assert bench.ran == [1]


@pytest.mark.parametrize("enforced", ["block", "halt", "require_approval", "modify", "unheard_of"])
@pytest.mark.parametrize(
    "mangled",
    [
        {"reasons": "none"},
        {"reasons": [{"reason": 7}]},
        {"decision_id": None},
        {"arguments": [1]},
        {"approval": 3},
        {"elapsed_ms": "soon"},
        {"degraded": {}},
    ],
)
def test_a_reply_that_stops_is_obeyed_even_when_the_rest_of_it_is_garbage(peer, enforced, mangled):
    """E1, E2: development would let a call run after a failure of ours; this is none. A `modify`
    without readable arguments cannot run unchanged either."""
    peer.configure(environment="development")
    peer.default = peer.decision(enforced, **mangled)
    bench = Bench()

    with pytest.raises((Blocked, Halted)):
        bench.call("method")

    assert bench.ran == []


@pytest.mark.parametrize("form", FORMS)
def test_every_form_runs_with_the_arguments_that_a_modify_returned(peer, form):
    peer.default = peer.decision("modify", arguments={"a": 7})
    bench = Bench()

    bench.call(form)

    assert bench.ran == [7]


def test_a_failure_of_ours_after_a_modify_does_not_run_the_call_unchanged(peer):
    """E1: development lets unchecked calls run, but this one was judged."""
    peer.configure(environment="development")
    peer.default = peer.decision("modify", arguments={"a": 1}, arguments_digest="0" * 64)
    bench = Bench()

    with pytest.raises(Blocked):
        bench.method(100)

    assert bench.ran == []


def test_parallel_threads_get_their_own_decisions(peer):
    """E1: 24 calls at once; exactly those that are let through run."""
    peer.default = lambda handler, check: peer.decision(
        "block" if check["action"]["arguments"]["a"] % 2 else "allow"
    )(handler, check)
    bench = Bench()

    def work(a: int) -> None:
        with contextlib.suppress(Blocked):
            bench.method(a)

    threads = [threading.Thread(target=work, args=(a,)) for a in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(bench.ran) == list(range(0, 24, 2))


async def test_parallel_tasks_get_their_own_decisions(peer):
    peer.default = lambda handler, check: peer.decision(
        "block" if check["action"]["arguments"]["a"] % 2 else "allow"
    )(handler, check)
    bench = Bench()

    results = await asyncio.gather(*(bench.coroutine(a) for a in range(24)), return_exceptions=True)

    assert sorted(bench.ran) == list(range(0, 24, 2))
    assert sum(isinstance(result, Blocked) for result in results) == 12


def test_a_nested_call_is_checked_on_its_own(peer):
    peer.answer(peer.decision("allow"), peer.decision("block"))
    bench = Bench()

    with pytest.raises(Blocked):
        bench.outer(1)

    assert [check["action"]["tool"] for check in peer.checks] == ["nested", "Bench.method"]
    assert bench.ran == []


def test_a_retrying_agent_is_asked_about_every_time_and_never_gets_through(peer):
    peer.default = peer.decision("block")
    bench = Bench()

    for _ in range(5):
        with contextlib.suppress(Exception):
            bench.method(1)

    assert bench.ran == []
    assert len({check["action"]["id"] for check in peer.checks}) == 5


async def test_a_call_cancelled_during_its_check_never_runs(peer):
    """E1: cancellation is not a failure that the fail mode could allow."""
    peer.configure(environment="development")
    peer.default = peer.hang
    bench = Bench()

    task = asyncio.create_task(bench.coroutine(1))
    await asyncio.to_thread(peer.arrived.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert bench.ran == []


def test_no_retry_swallows_a_halt_and_the_run_stays_over(peer):
    """E1: `except Exception` does not catch it, and later calls do not even ask."""
    peer.default = peer.decision("halt")
    bench = Bench()
    tries = 0

    def agent() -> None:
        nonlocal tries
        while True:
            tries += 1
            with contextlib.suppress(Exception):
                bench.method(1)

    with pytest.raises(Halted), run("loop"):
        agent()

    assert tries == 1
    assert bench.ran == []


def test_a_halted_run_and_its_children_stay_halted_without_a_gateway(peer, closed_port):
    """Development would let unchecked calls run, but not in a run that is over."""
    peer.configure(environment="development")
    peer.default = peer.decision("halt")
    bench = Bench()

    with run("parent"):
        with pytest.raises(Halted):
            bench.method(1)
        peer.configure(environment="development", url=f"http://127.0.0.1:{closed_port}")
        with pytest.raises(Halted):
            bench.method(2)
        with pytest.raises(Halted), run("child"):
            bench.method(3)

    assert bench.ran == []
    peer.configure(environment="development")
    bench.ran.clear()
    peer.default = peer.decision("allow")
    bench.method(4)
    assert bench.ran == [4]


def test_what_the_agent_reads_is_a_reason_a_next_step_and_an_id(peer):
    """S0-6: no names of rules, no thresholds, no control characters."""
    peer.default = peer.decision("block")

    with pytest.raises(Blocked) as stopped:
        Bench().method(1)

    assert str(stopped.value) == "This call was blocked. Too much. Ask for less. (decision dec_1)"
    assert stopped.value.decision is not None
    assert stopped.value.decision.reason is not None
    assert stopped.value.decision.reason.rule == "secret_rule_name"


def test_only_enforced_is_obeyed(peer):
    """design.md 3: the verdict may be severe in a mode that does not block."""
    peer.default = peer.decision("allow", verdict="halt", mode="log")
    bench = Bench()

    bench.method(1)

    assert bench.ran == [1]


def test_an_approval_is_waited_for_and_carried_by_the_same_call(peer):
    peer.answer(peer.decision("require_approval", approval=APPROVAL))
    peer.statuses.extend(["pending", "approved"])
    bench = Bench()

    with run("approving"):
        with pytest.raises(ApprovalRequired) as pending:
            bench.method(7)
        assert pending.value.approval_id == "apr_1"
        assert pending.value.url == "http://x/apr_1"
        pending.value.wait(timeout=10, poll=0.01)
        bench.method(7)
        bench.method(7)

    first, second, third = peer.checks
    assert second["approval_id"] == "apr_1"
    assert second["action"]["id"] == first["action"]["id"]
    assert second["action"]["attempt"] != first["action"]["attempt"]
    assert "approval_id" not in third
    assert bench.ran == [7, 7]


@pytest.mark.parametrize("status", ["denied", "expired"])
def test_an_approval_that_is_refused_stays_a_block(peer, status):
    peer.answer(peer.decision("require_approval", approval=APPROVAL))
    peer.statuses.extend([status])
    bench = Bench()

    with pytest.raises(ApprovalRequired) as pending:
        bench.method(7)
    with pytest.raises(Blocked, match="not approved"):
        pending.value.wait(timeout=10, poll=0.01)

    assert bench.ran == []
