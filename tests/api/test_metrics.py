"""Metrics: on a port of their own, explained, and with labels that nobody outside can make up."""

from __future__ import annotations

import re
from typing import get_args

import httpx2
import pytest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from gateway.api.problems import CODES
from gateway.assessing.asking import Trouble
from gateway.audit.log.witnesses import Kind, Outcome
from gateway.calibrating.report import HEADS
from gateway.domain.verdicts import VERDICTS
from gateway.replay.standing import Standing
from gateway.telemetry import SCORES, STEPS, Metrics
from tests.api.asking import check, new_name
from tests.api.live import Live

# Every label with all the words it may ever hold.
WORDS: dict[str, set[str] | None] = {
    "enforced": set(VERDICTS),
    "verdict": set(VERDICTS),
    "mode": {"log", "warn", "block"},
    "step": set(STEPS),
    "at_most": {str(bound) for bound in SCORES},
    "trouble": set(get_args(Trouble)),
    "figure": {"score", *HEADS},
    "truth": {"aligned", "misaligned"},
    "code": set(CODES),
    "outcome": {"active", "refused", *get_args(Outcome)},
    "witness": set(get_args(Kind)),
    "standing": set(get_args(Standing)),
    "transport": {"sse", "websocket"},
    "why": {"left", "slow", "over", "stopping", "key_revoked", "key_expired", "failed"},
    "le": None,
}


def test_every_metric_is_explained_and_its_labels_are_closed_vocabularies() -> None:
    declared = [each for each in vars(Metrics()).values() if isinstance(each, MetricWrapperBase)]

    assert len(declared) > 10
    for metric in declared:
        assert re.fullmatch(r"checkrein_[a-z_]+", metric._name)
        assert len(metric._documentation) > 20, metric._name
        assert set(metric._labelnames) <= set(WORDS), metric._name


def test_what_is_exposed_keeps_to_the_vocabularies(live: Live) -> None:
    """No tool, agent, project or run becomes a label, whatever they are called."""
    with live.client() as client:
        check(client, new_name("tool"), run={"id": new_name(), "agent_id": new_name("agent")})
        check(client, "files.delete")
        client.post("/v1/check-action", content=b"{", headers={"content-type": "application/json"})
        client.get("/v1/runs/" + new_name())

    exposed = httpx2.get(live.metrics_url + "/metrics")

    assert exposed.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(exposed.text)}
    for family in families.values():
        assert family.documentation
        for sample in family.samples:
            for label, word in sample.labels.items():
                words = WORDS[label]
                assert words is None or word in words, (family.name, label, word)
    assert _count(families["checkrein_problems"], code="run_not_found") >= 1
    assert _count(families["checkrein_verdicts"], enforced="block") >= 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/runs", 404),
        ("POST", "/metrics", 405),
        ("HEAD", "/metrics", 200),
    ],
)
def test_nothing_else_is_served_there(live: Live, method: str, path: str, status: int) -> None:
    assert httpx2.request(method, live.metrics_url + path).status_code == status


def test_metrics_are_not_served_with_the_api(client: httpx2.Client) -> None:
    assert client.get("/metrics").status_code == 404


def _count(family: object, **labels: str) -> float:
    return sum(
        sample.value
        for sample in family.samples  # type: ignore[attr-defined]
        if sample.name.endswith("_total") and labels.items() <= sample.labels.items()
    )
