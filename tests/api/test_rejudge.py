"""Re-judgement over HTTP: a proof under the own policy, a trial under another one."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from gateway.policies import load
from tests.api.asking import check, new_name, problem
from tests.api.live import Live, json

STRICT = """
environments:
  production:
    mode: block
    defaults: {"*": block}
    fail: {"*": closed}
tools:
  - {match: "files.read", side_effects: [read]}
  - {match: "files.delete", side_effects: [delete]}
data: {}
"""


def rejudged(client: httpx2.Client, path: str, **body: Any) -> Any:
    reply = client.post(path, json=body)
    assert reply.status_code == 200, reply.text
    return json(reply)


@pytest.fixture
def strict(live: Live) -> str:
    """The digest of another policy version that the gateway keeps."""
    files = {"policy.yaml": STRICT}
    digest = load.load(files, None).digest
    control = live.gateway.parts.control
    live.run(control.save_version(digest, files, None, "2026-11-20T12:00:00.000000Z"))
    return digest


def test_a_run_comes_out_the_same_and_page_follows_page(client: httpx2.Client) -> None:
    """N1: what was decided a moment ago, to the byte."""
    name = new_name()
    asked = [
        check(client, tool, run={"id": name})
        for tool in ("files.read", "files.delete", "iam.grant", "files.read")
    ]
    path = f"/v1/runs/{name}/re-judge"

    first = rejudged(client, path, limit=3)
    second = rejudged(client, path, limit=3, after=first["next_after"])

    found = first["judged"] + second["judged"]
    assert [each["decision_id"] for each in found] == [each["decision_id"] for each in asked]
    assert [each["now"]["enforced"] for each in found] == [each["enforced"] for each in asked]
    assert (first["counts"], second["counts"]) == ({"exact": 3}, {"exact": 1})
    assert (first["has_more"], second["has_more"], second["next_after"]) == (True, False, None)


def test_a_verdict_says_what_was_not_observed(client: httpx2.Client) -> None:
    """N10: once for a run, for the rest where it is asked for."""
    name = new_name()
    told = [check(client, "files.read", run={"id": name})["decision_id"] for _ in range(2)]
    path = f"/v1/runs/{name}/re-judge"

    first = rejudged(client, path, limit=1)
    second = rejudged(client, path, limit=1, after=first["next_after"])
    bare = rejudged(client, f"/v1/decisions/{told[0]}/re-judge")
    one = rejudged(client, f"/v1/decisions/{told[0]}/re-judge", capture=True)
    recent = rejudged(client, "/v1/re-judge", limit=2, capture=True)
    steps = json(client.get(f"/v1/runs/{name}/steps"))["capture"]

    said = first["capture"]["says"]
    # There is another decision, of which the first page says nothing.
    assert said.startswith("1 of 1 decisions that were judged again come out the same; ")
    assert "what models answered, " in said
    assert "what came of 2 calls" in said
    (tool,) = [each for each in first["capture"]["boundaries"] if each["boundary"] == "tool"]
    assert (tool["unobserved"], first["capture"]["complete"]) == (2, True)
    assert (second["capture"], bare["capture"]) == (None, None)
    assert one["capture"]["says"].startswith("Every decision comes out the same; ")
    for each in (one, recent):
        assert each["capture"]["boundaries"] == first["capture"]["boundaries"]
        assert each["capture"]["unseen"] == first["capture"]["unseen"]
    assert steps["boundaries"] == first["capture"]["boundaries"]
    assert steps["says"].startswith("What was recorded is shown; what models answered")


def test_a_masked_call_is_told_apart(client: httpx2.Client) -> None:
    """R4."""
    told = check(client, arguments={"to": "[email:3f9a2c41d0@example.com]"})

    found = rejudged(client, f"/v1/decisions/{told['decision_id']}/re-judge")

    assert (found["standing"], found["reason"]) == ("redacted-equivalent", "masked")


def test_under_another_policy_one_sees_what_would_change(
    client: httpx2.Client, strict: str
) -> None:
    name = new_name()
    check(client, "files.read", run={"id": name})
    check(client, "files.delete", run={"id": name})

    found = rejudged(client, f"/v1/runs/{name}/re-judge", policy=strict)
    own = rejudged(client, f"/v1/runs/{name}/re-judge", policy="active")

    assert [each["standing"] for each in found["judged"]] == ["changed", "same"]
    now = found["judged"][0]["now"]
    assert (now["enforced"], now["policy_digest"]) == ("block", strict)
    assert own["counts"] == {"exact": 2}


def test_a_time_range_goes_on_behind_its_cursor_under_the_same_words(
    client: httpx2.Client,
) -> None:
    told = [check(client)["decision_id"] for _ in range(3)]
    for decision in told:
        rejudged(client, f"/v1/decisions/{decision}/re-judge")

    first = rejudged(client, "/v1/re-judge", limit=2)
    second = rejudged(client, "/v1/re-judge", limit=1, cursor=first["next_cursor"])

    found = [each["decision_id"] for each in first["judged"] + second["judged"]]
    assert found == told[::-1]
    other = client.post("/v1/re-judge", json={"policy": "active", "cursor": first["next_cursor"]})
    problem(other, 400, "bad_cursor")
    assert rejudged(client, "/v1/re-judge", until="2020-01-01T00:00:00Z")["judged"] == []


def test_nothing_of_another_project_is_judged(live: Live, client: httpx2.Client) -> None:
    name = new_name()
    told = check(client, run={"id": name})
    rejudged(client, f"/v1/decisions/{told['decision_id']}/re-judge")

    with live.client("other") as stranger:
        problem(
            stranger.post(f"/v1/decisions/{told['decision_id']}/re-judge", json={}),
            404,
            "decision_not_found",
        )
        problem(stranger.post(f"/v1/runs/{told['run_id']}/re-judge", json={}), 404, "run_not_found")
        page = rejudged(stranger, "/v1/re-judge")
    assert told["decision_id"] not in [each["decision_id"] for each in page["judged"]]


@pytest.mark.parametrize("policy", ["0" * 64, "1" * 64])
def test_a_policy_that_nobody_used_is_not_there(client: httpx2.Client, policy: str) -> None:
    problem(client.post("/v1/re-judge", json={"policy": policy}), 404, "policy_not_found")


@pytest.mark.parametrize("body", [{"policy": "latest"}, {"limit": 101}, {"since": "yesterday"}])
def test_what_cannot_be_understood_is_refused(client: httpx2.Client, body: Any) -> None:
    assert client.post("/v1/re-judge", json=body).status_code in (400, 422)


def test_the_gateway_proves_its_record_by_itself(live: Live, client: httpx2.Client) -> None:
    """N1: without being asked, with the share as a metric."""
    told = check(client)
    rejudged(client, f"/v1/decisions/{told['decision_id']}/re-judge")

    judged = live.run(live.gateway.proving.step())

    assert judged > 0
    text = httpx2.get(live.metrics_url + "/metrics").text
    assert 'checkrein_decisions_rejudged_total{standing="exact"}' in text
    assert "checkrein_rejudged_exact_share 1.0" in text
