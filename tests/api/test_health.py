"""Health: alive, ready, and why not."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import httpx2

from tests.api.asking import body, check, problem
from tests.api.live import Live, json, live_gateway


def test_health_needs_no_key(live: Live) -> None:
    with live.client(None) as client:
        assert json(client.get("/livez")) == {"alive": True}
        ready = json(client.get("/readyz"))

    assert ready["ready"] is True
    assert ready["policy"] == live.gateway.parts.rulebook.current().digest  # type: ignore[union-attr]


def test_a_gateway_without_a_policy_is_not_ready_and_says_why(tmp_path: Path) -> None:
    """D9: a broken policy never becomes active; nothing is decided without one."""
    broken = "environments: {production: {mode: sometimes}}\n"
    with live_gateway(tmp_path, policy=broken) as live, live.client() as client:
        ready = client.get("/readyz")
        checked = client.post("/v1/check-action", json=body())
        active = client.get("/v1/policies/active")
        alive = client.get("/livez")

    assert "mode" in problem(ready, 503, "policy_unavailable")["detail"]
    problem(checked, 503, "policy_unavailable")
    problem(active, 503, "policy_unavailable")
    assert checked.headers["retry-after"] == "1"
    assert alive.status_code == 200


def test_a_gateway_that_cannot_record_decides_nothing_and_says_so(tmp_path: Path) -> None:
    """D4: no record, no decision; the caller is told which fail mode to apply."""
    with live_gateway(tmp_path) as live, live.client() as client:
        live.recording.paused = True
        check(client)
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / "journal.db")) as holding:
            holding.execute("BEGIN IMMEDIATE")
            refused = client.post("/v1/check-action", json=body())
            not_ready = client.get("/readyz")
            holding.rollback()
        decided = client.post("/v1/check-action", json=body())
        ready = client.get("/readyz")

    assert problem(refused, 503, "journal_unavailable")["fail_mode"] == "closed"
    problem(not_ready, 503, "journal_unavailable")
    assert (decided.status_code, ready.status_code) == (200, 200)


def test_a_stopping_gateway_asks_for_no_more_checks(live: Live, client: httpx2.Client) -> None:
    """D8: the balancer is told first, while what still comes is answered."""
    live.stopping.now = True
    try:
        problem(client.get("/readyz"), 503, "unavailable")
        assert client.post("/v1/check-action", json=body()).status_code == 200
    finally:
        live.stopping.now = False
