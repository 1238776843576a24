"""Health: alive, ready, and why not."""

from __future__ import annotations

from pathlib import Path

import httpx2

from tests.api.asking import body, problem
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


def test_a_stopping_gateway_asks_for_no_more_checks(live: Live, client: httpx2.Client) -> None:
    """D8: the balancer is told first, while what still comes is answered."""
    live.stopping.now = True
    try:
        problem(client.get("/readyz"), 503, "unavailable")
        assert client.post("/v1/check-action", json=body()).status_code == 200
    finally:
        live.stopping.now = False
