"""Labels, reports, previews and proposals over HTTP."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import pytest

from tests.api.asking import check, new_name, problem
from tests.api.live import Live, json
from tests.calibrating.filling import fill

SCORES = [round(n / 250, 6) for n in range(200)]


def until(client: httpx2.Client, path: str, there: Any) -> Any:
    """What is answered once the record has caught up."""
    last = time.monotonic() + 20
    while True:
        found = json(client.get(path))
        if there(found) or time.monotonic() > last:
            return found
        time.sleep(0.02)


@pytest.fixture(scope="module")
def ids(live: Live) -> list[str]:
    """A history of 200 scored decisions in the first project, and its last ones labelled fine."""
    found = fill(live, "full", SCORES)
    with live.client() as client:
        for name in found[-10:]:
            given = client.post(f"/v1/decisions/{name}/feedback", json={"label": "false_alarm"})
            assert given.status_code == 200, given.text
        labels = until(client, "/v1/intent/labels", lambda f: len(f["labels"]) >= 10)
        assert len(labels["labels"]) == 10
    return found


def test_a_label_is_listed_with_who_gave_it(live: Live, ids: list[str]) -> None:
    """S1-27: and what a person wrote is kept, and given back."""
    said = {"label": "missed", "comment": "Nobody asked for it.", "by": "Ann"}
    with live.client() as client:
        given = json(client.post(f"/v1/decisions/{ids[3]}/feedback", json=said))
        found = until(
            client,
            "/v1/intent/labels",
            lambda f: any(each["decision_id"] == ids[3] for each in f["labels"]),
        )

        (row,) = [each for each in found["labels"] if each["decision_id"] == ids[3]]
        assert (row["label"], row["comment"], row["by"]) == ("missed", said["comment"], "Ann")
        assert row["labeller"] == given["labeller"] == live.keys["full"].split("_")[2]
        client.post(f"/v1/decisions/{ids[3]}/feedback", json={"label": "unsure"})


def test_a_decision_of_a_check_can_be_labelled_at_once(live: Live) -> None:
    with live.client() as client:
        decision = check(client, run={"id": new_name()})
        given = client.post(
            f"/v1/decisions/{decision['decision_id']}/feedback", json={"label": "fine"}
        )

    assert json(given)["run_id"] == decision["run_id"]
    assert json(given)["seq"] > decision["seq"]


def test_what_is_no_label_is_refused(live: Live, ids: list[str]) -> None:
    with live.client() as client:
        path = f"/v1/decisions/{ids[0]}/feedback"
        problem(client.post(path, json={"label": "good"}), 400, "value_out_of_range")
        problem(client.post(path, json={"label": "fine", "labeller": "x"}), 400, "unknown_field")


def test_a_key_of_an_agent_labels_nothing(live: Live, ids: list[str]) -> None:
    """Nor does one of another environment, whose run it is not."""
    path = f"/v1/decisions/{ids[0]}/feedback"
    with live.client("bound") as bound, live.client("staging") as staging:
        problem(bound.post(path, json={"label": "fine"}), 403, "forbidden")
        answer = staging.post(path, json={"label": "fine"})
        problem(answer, 409, "run_environment_mismatch")


def test_the_report_shows_the_curve_the_labels_and_the_drift(live: Live, ids: list[str]) -> None:
    with live.client() as client:
        found = json(client.get("/v1/intent/report"))
        scraped = httpx2.get(f"{live.metrics_url}/metrics", trust_env=False).text

    assert found["considered"]["scored"] == len(ids)
    assert found["report"]["stage"]["name"] == "global"
    points = {point["threshold"]: point for point in found["report"]["curves"]["payment"]}
    assert points[0.5]["caught"] == pytest.approx(75 / 200)
    assert points[0.5]["false_positive_rate"] == 1.0
    assert found["report"]["drift"]["psi"]["score"] > 0.2
    assert any(text.startswith("drift") for text in found["report"]["alarms"])
    assert 'checkrein_intent_psi{figure="score"}' in scraped


def test_a_preview_of_a_threshold_counts_what_people_said(live: Live, ids: list[str]) -> None:
    """S1-26: over the last N decisions this would have blocked n, of which m were marked fine."""
    with live.client() as client:
        asked = {"side_effect": "payment", "threshold": 0.7}
        found = json(client.post("/v1/intent/preview", json=asked))["preview"]
        by_budget = json(client.post("/v1/intent/preview", json={"budget": 0.05}))

    assert (found["decisions"], found["caught"], found["caught_fine"]) == (200, 25, 10)
    assert found["text"].startswith("Over the last 200 decisions this would have caught 25")
    assert by_budget["basis"] == "history"
    assert by_budget["preview"]["caught"] == 9


def test_a_proposal_is_a_block_of_the_policy_and_changes_nothing(
    live: Live, ids: list[str]
) -> None:
    with live.client() as client:
        before = json(client.get("/v1/policies/active"))
        asked = {"side_effect": "payment", "budget": 0.05}
        found = json(client.post("/v1/intent/calibrate", json=asked))

        assert found["block"] == {"thresholds": {"payment": found["proposal"]["threshold"]}}
        assert found["changes"] is True
        assert found["preview"]["caught"] == 9
        assert "taken for fine" in " ".join(found["proposal"]["notes"])
        assert json(client.get("/v1/policies/active")) == before


def test_what_chance_chose_waits_for_a_label_until_it_has_one(live: Live, ids: list[str]) -> None:
    with live.client() as client:
        waiting = json(client.get("/v1/intent/reviews"))["reviews"]
        for row in waiting:
            client.post(f"/v1/decisions/{row['decision_id']}/feedback", json={"label": "unsure"})
        left = until(client, "/v1/intent/reviews", lambda f: not f["reviews"])["reviews"]

    assert all(row["score"] <= 0.75 for row in waiting)
    assert left == []


def test_nothing_crosses_projects(live: Live, ids: list[str]) -> None:
    """S1: neither scores nor labels of one project reach another's report or threshold."""
    with live.client("other") as client:
        refused = client.post(f"/v1/decisions/{ids[0]}/feedback", json={"label": "missed"})
        problem(refused, 404, "decision_not_found")
        assert json(client.get("/v1/intent/labels"))["labels"] == []
        alone = json(client.post("/v1/intent/calibrate", json={}))
        assert alone["considered"]["scored"] == 0

        fill(live, "other", [round(0.9 + n / 10_000, 6) for n in range(100)])
        found = until(client, "/v1/intent/report", lambda f: f["considered"]["scored"] == 100)
        assert found["considered"]["scored"] == 100
        theirs = json(client.post("/v1/intent/calibrate", json={}))["proposal"]["threshold"]
    with live.client() as client:
        ours = json(client.post("/v1/intent/calibrate", json={}))["proposal"]["threshold"]

    assert ours == pytest.approx(SCORES[190], abs=0.01)
    assert theirs > 0.9


def test_what_an_sdk_reports_is_its_keys_label(live: Live) -> None:
    """S1-27: as `record_feedback` does; from a key that is bound to an agent it teaches nothing."""
    with live.client("check") as sdk, live.client("bound") as bound, live.client() as client:
        run = {"id": new_name()}
        ours = check(sdk, run=run, request={"user": "Read the notes."})
        own = {"id": new_name(), "agent_id": "support-bot"}
        theirs = check(bound, run=own, request={"user": "Read the notes."})
        for asking, decision, where in ((sdk, ours, run), (bound, theirs, own)):
            event = {
                "type": "feedback",
                "label": "false_alarm",
                "comment": "It was asked for.",
                "decision_id": decision["decision_id"],
            }
            given = asking.post("/v1/events", json={"run": where, "events": [event]})
            assert given.status_code == 200, given.text
        # What comes behind it in the same run is there only when it is.
        path = f"/v1/decisions/{theirs['decision_id']}/feedback"
        assert client.post(path, json={"label": "missed"}).status_code == 200
        wanted = {ours["decision_id"], theirs["decision_id"]}
        found = until(
            client,
            "/v1/intent/labels",
            lambda f: wanted <= {each["decision_id"] for each in f["labels"]},
        )

    keys = {name: text.split("_")[2] for name, text in live.keys.items()}
    rows = [each for each in found["labels"] if each["decision_id"] in wanted]
    assert {(each["decision_id"], each["labeller"], each["label"]) for each in rows} == {
        (ours["decision_id"], keys["check"], "false_alarm"),
        (theirs["decision_id"], keys["full"], "missed"),
    }
    assert {each["comment"] for each in rows} == {"It was asked for.", None}
