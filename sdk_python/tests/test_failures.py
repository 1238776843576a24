"""E2 and D4: whatever fails between the agent and a decision, the fail mode decides, in time."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import checkrein
import pytest
from checkrein import Unavailable, guard

FAULTS = [
    "hang",
    "drip",
    "reset",
    "not_http",
    "garbage",
    "empty",
    "no_enforced",
    "number_enforced",
    "wrong_shape",
    "too_large",
    "redirect",
    "error_500",
    "error_503",
    "other_arguments",
    "deep",
]


def fault(peer: Any, name: str) -> Any:
    replies = {
        "garbage": peer.plain(200, b"\xff\xfe{"),
        "empty": peer.plain(200, b""),
        "no_enforced": peer.plain(200, {"verdict": "allow", "decision_id": "dec_1"}),
        "number_enforced": peer.plain(200, {"enforced": 1, "decision_id": "dec_1"}),
        "wrong_shape": peer.plain(200, {"enforced": "allow", "decision_id": 5}),
        "too_large": peer.decision("allow", padding="x" * 2_000_000),
        "redirect": peer.plain(307, {}, location=f"{peer.url}/v1/check-action"),
        "error_500": peer.plain(500, {"code": "unexpected"}),
        "error_503": peer.plain(503, {"code": "unavailable"}),
        "other_arguments": peer.decision("allow", arguments_digest="0" * 64),
        "deep": peer.plain(200, b'{"enforced":' + b"[" * 100_000),
    }
    return replies.get(name) or getattr(peer, name)


@pytest.mark.parametrize("form", ["plain", "coroutine"])
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize(
    ("environment", "runs"), [("production", False), ("development", True), ("qa", False)]
)
def test_a_fault_takes_the_fail_mode_of_the_environment(peer, name, form, environment, runs):
    """E2, D4: denied in production and in environments of their own, a recorded gap elsewhere."""
    slow = name in {"hang", "drip"}
    peer.configure(environment=environment, deadline=0.25 if slow else 5.0)
    peer.default = fault(peer, name)
    ran: list[int] = []

    @guard
    def plain(a: int) -> int:
        ran.append(a)
        return a

    @guard
    async def coroutine(a: int) -> int:
        ran.append(a)
        return a

    def call() -> int:
        return plain(1) if form == "plain" else asyncio.run(coroutine(1))

    if runs:
        assert call() == 1
    else:
        with pytest.raises(Unavailable):
            call()

    assert ran == ([1] if runs else [])
    # At fifty bytes a second this is ten seconds' worth; the deadline is a quarter of one.
    assert peer.dripped < 500
    assert checkrein.stats()["gaps"] == int(runs)
    assert checkrein.stats()["denied"] == int(not runs)


def test_a_failure_of_our_own_takes_the_fail_mode_too(peer):
    """E2: an argument that cannot even be looked at is a bug of the hook, not a way around it."""

    class Hostile(dict):  # type: ignore[type-arg]
        def items(self) -> Any:
            raise RuntimeError("no")

    ran: list[object] = []

    @guard
    def tool(a: object) -> None:
        ran.append(a)

    with pytest.raises(Unavailable):
        tool(Hostile(a=1))
    assert ran == []

    peer.configure(environment="development")
    tool(Hostile(a=1))
    assert len(ran) == 1


def test_an_option_that_raises_takes_the_fail_mode_too(peer):
    @guard(amount=lambda arguments: arguments["nothing"])
    def tool(a: int) -> None:
        raise AssertionError("must not run")

    with pytest.raises(Unavailable):
        tool(1)


def test_a_retry_keeps_action_and_attempt_to_the_byte(peer):
    peer.answer(peer.reset)

    @guard
    def tool(a: int) -> int:
        return a

    assert tool(1) == 1

    first, second = peer.bodies[:2]
    assert first == second


def test_there_is_at_most_one_retry(peer):
    peer.default = peer.reset

    @guard
    def tool(a: int) -> None: ...

    with pytest.raises(Unavailable):
        tool(1)

    assert len(peer.checks) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_when_it_fits_into_the_deadline(peer, status):
    peer.answer(peer.plain(status, {}, retry_after="0"))

    @guard
    def tool() -> str:
        return "ran"

    assert tool() == "ran"
    assert len(peer.checks) == 2


def test_retry_after_beyond_the_deadline_is_not_waited_for(peer):
    peer.default = peer.plain(503, {}, retry_after="3600")

    @guard
    def tool() -> None: ...

    with pytest.raises(Unavailable):
        tool()
    assert len(peer.checks) == 1


@pytest.mark.parametrize(
    ("environment", "fail_mode", "told", "runs"),
    [
        ("production", "open", None, True),
        ("production", "closed", None, False),
        ("development", "closed", None, False),
        ("development", "open", None, True),
        ("production", "open", "deny", False),
        ("production", "closed", "allow", False),
    ],
)
def test_a_gateway_without_its_journal_says_which_fail_mode_holds(
    peer, environment, fail_mode, told, runs
):
    """design.md 6: 503 `journal_unavailable` is applied, and recorded as a gap."""
    peer.configure(environment=environment)
    peer.default = peer.plain(503, {"code": "journal_unavailable", "fail_mode": fail_mode})

    @guard(on_unavailable=told)
    def tool() -> str:
        return "ran"

    if runs:
        assert tool() == "ran"
        checkrein.flush()
        assert [event["type"] for event in peer.events] == ["gap"]
    else:
        with pytest.raises(Unavailable):
            tool()


@pytest.mark.parametrize("status", [400, 401, 403, 409, 413, 422])
@pytest.mark.parametrize(
    ("environment", "effects", "told", "runs"),
    [
        ("development", ["payment"], None, True),
        ("production", ["payment"], None, False),
        ("production", ["payment"], "allow", False),
        ("production", [], "allow", False),
        ("production", ["read"], "allow", True),
    ],
)
def test_a_refused_call_is_no_outage(peer, status, environment, effects, told, runs):
    """The agent writes the arguments: making the gateway refuse them must not open the gate."""
    peer.configure(environment=environment)
    peer.default = peer.plain(status, {"code": "refused", "detail": "no"})

    @guard(side_effects=effects, on_unavailable=told)
    def tool() -> str:
        return "ran"

    if runs:
        assert tool() == "ran"
    else:
        with pytest.raises(Unavailable):
            tool()
    assert len(peer.checks) == 1


def test_a_missing_key_says_which_variable_to_set(peer, caplog):
    peer.default = peer.plain(401, {"code": "unauthenticated"})

    @guard
    def tool() -> None: ...

    with pytest.raises(Unavailable, match="CHECKREIN_API_KEY"), caplog.at_level(logging.WARNING):
        tool()
    assert "CHECKREIN_API_KEY" in caplog.text


def test_without_a_gateway_there_is_one_warning_that_says_what_to_do(caplog, closed_port):
    checkrein.init(url=f"http://127.0.0.1:{closed_port}", environment="development", deadline=5.0)
    ran: list[int] = []

    @guard
    def tool(a: int) -> None:
        ran.append(a)

    with caplog.at_level(logging.WARNING):
        for a in range(20):
            tool(a)

    assert ran == list(range(20))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "checkrein up" in said[0]
    assert "CHECKREIN_API_KEY" in said[0]
    assert checkrein.stats()["gaps"] == 20


def test_the_breaker_stops_asking_a_gateway_that_keeps_failing(peer):
    peer.default = peer.plain(500, {})

    @guard
    def tool() -> None: ...

    for _ in range(12):
        with pytest.raises(Unavailable):
            tool()

    assert len(peer.checks) == 5


def test_gaps_are_told_once_the_gateway_is_back(peer):
    """A fail-open is never silent: the record follows."""
    peer.configure(environment="staging")
    peer.answer(peer.plain(500, {}))

    @guard("crm.read", side_effects=["read"])
    def tool(who: str) -> None: ...

    with checkrein.run("gappy") as r:
        tool("a@b.example")
    assert checkrein.flush(5)

    gap = next(event for event in peer.events if event["type"] == "gap")
    assert gap["tool"] == "crm.read"
    assert gap["side_effects"] == ["read"]
    assert gap["reason"].startswith("unreachable")
    assert gap["action_id"] == peer.checks[0]["action"]["id"]
    assert len(gap["arguments_digest"]) == 64
    assert [batch["run"]["id"] for batch in peer.batches] == [r.id, r.id]
