"""The guard that ships, in a real gateway: the reply names the argument, and settings count."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.assessing import ChildAssessor
from gateway.assessing.canary_watch import CanaryWatch
from gateway.config import Settings
from gateway.errors import ConfigInvalid
from gateway.telemetry import Metrics
from gateway.wiring import open_gateway
from tests.api.live import live_gateway

pytest.importorskip("gateway.intent.evaluator")

FLIPPED: dict[str, Any] = {
    "action": {
        "tool": "stripe.create_charge_or_refund",
        "arguments": {"customer": "cus_1", "amount": 4000, "currency": "usd", "is_refund": True},
    },
    "request": {
        "user": "Charge cus_1 40 USD.",
        "plan": {"arguments": {"customer": "cus_1", "amount": 4000, "is_refund": False}},
    },
}


def ask(body: dict[str, Any], tmp_path, **settings: Any) -> dict[str, Any]:
    with live_gateway(tmp_path, **settings) as live, live.client() as client:
        answer = client.post("/v1/check-action", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_reply_names_the_argument(tmp_path):
    reply = ask(FLIPPED, tmp_path)

    assessment = reply["assessment"]
    assert assessment["score"] > 0.9
    assert assessment["signals"][0]["field"] == "/action/arguments/is_refund"
    assert assessment["coverage"]["plan"] == "structured"


def test_switched_off_it_says_nothing(tmp_path):
    reply = ask(FLIPPED, tmp_path, intent="off")

    assert (reply["assessment"], reply["degraded"]) == (None, [])


async def test_a_version_that_does_not_exist_stops_the_gateway(tmp_path):
    settings = Settings(data=str(tmp_path / "data"), intent_model="v1-000000000000")

    with pytest.raises(ConfigInvalid, match="The Intent Guard cannot be loaded: VersionNotFound"):
        async with open_gateway(settings):
            pass


async def test_canaries_are_tried_in_the_child_and_counted():
    assessor, metrics, stop = ChildAssessor(), Metrics(), asyncio.Event()
    await assessor.start()

    stop.set()
    assert await CanaryWatch(assessor, metrics).step()

    outcomes = await assessor.canaries()
    assert outcomes
    wrong = sum(not right for _, _, _, right in outcomes)
    assert metrics.registry.get_sample_value("checkrein_intent_canaries_failed") == wrong
    await assessor.close()
