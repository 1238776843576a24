"""`checkrein intent` against a running gateway."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.api.live import POLICY, Live, json, live_gateway
from tests.calibrating.filling import fill
from tests.cli.commands import Done, checkrein

Run = Callable[..., Done]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calibrated")


@pytest.fixture(scope="module")
def live(folder: Path) -> Iterator[Live]:
    """A gateway whose first project has 200 scored decisions, and whose folder may be changed."""
    with live_gateway(folder, policy=POLICY) as found:
        fill(found, "full", [round(n / 250, 6) for n in range(200)])
        with found.client() as client:
            assert eventually(lambda: scored(client) == 200)
        yield found


@pytest.fixture
def policies(folder: Path) -> Path:
    """The folder that the gateway runs."""
    return folder / "policies"


@pytest.fixture
def asked(live: Live, tmp_path: Path) -> Run:
    environ = {"CHECKREIN_URL": live.url, "CHECKREIN_API_KEY": live.keys["full"]}
    return lambda *words: checkrein("intent", *words, cwd=tmp_path, environ=environ)


def scored(client: httpx2.Client) -> int:
    return int(json(client.get("/v1/intent/report"))["considered"]["scored"])


def eventually(holds: Callable[[], bool], seconds: float = 20) -> bool:
    last = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > last:
            return False
        time.sleep(0.05)
    return True


def test_the_report_ends_with_a_finding_when_there_is_an_alarm(asked: Run) -> None:
    told, found = asked("report"), asked("report", "--json")

    assert told.code == found.code == 1
    assert "psi of score" in told.out
    assert "alarm  drift" in told.out
    assert found.json["considered"]["scored"] == 200


def test_a_preview_says_what_would_have_been_caught(asked: Run) -> None:
    done = asked("preview", "--side-effect", "payment", "--threshold", "0.7")

    assert done.code == 0
    assert "Over the last 200 decisions this would have caught 25" in done.out
    assert asked("preview", "--json").json["basis"] == "history"


def test_a_decision_is_labelled_and_a_wrong_one_named(asked: Run, live: Live) -> None:
    with live.client() as client:
        row = json(client.get("/v1/intent/reviews"))["reviews"][0]

    assert row["decision_id"] in asked("review").out
    done = asked("label", row["decision_id"], "fine", "--comment", "\x1b[2Jasked for", "--json")
    assert (done.code, done.json["label"]) == (0, "fine")
    assert asked("label", "dec_nothing", "fine").code == 4
    assert asked("label", row["decision_id"], "good").code == 2


def test_a_threshold_is_applied_taken_up_and_rolled_back(
    asked: Run, live: Live, policies: Path
) -> None:
    """S1-26: a change is a new version of the policy, and one command takes it back."""
    words = ("calibrate", "--side-effect", "payment", "--budget", "0.05")
    text, before = (policies / "policy.yaml").read_text(), asked(*words, "--json").json
    assert before["applied"] is None
    assert (policies / "policy.yaml").read_text() == text

    applied = asked(*words, "--apply", "--policies", str(policies), "--json")

    assert applied.code == 0, applied.err
    done = applied.json["applied"]
    assert done["block"]["thresholds"]["payment"] == applied.json["proposal"]["threshold"]
    with live.client() as client:

        def active() -> str:
            digest: str = json(client.get("/v1/policies/active"))["digest"]
            return digest

        live.run(live.gateway.rulebook.reload())
        assert active() == done["digest"]
        assert json(client.get("/v1/intent/report"))["thresholds"] == done["block"]["thresholds"]

        back = asked("rollback", "--policies", str(policies), "--json").json
        assert back["digest"] == done["digest_before"]
        assert (policies / "policy.yaml").read_text() == text
        live.run(live.gateway.rulebook.reload())
        assert active() == done["digest_before"]


def test_a_folder_that_the_gateway_does_not_run_is_left_alone(asked: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "policy.yaml").write_text("environments: {production: {mode: block}}\n")

    done = asked("calibrate", "--apply", "--policies", str(other))

    assert done.code == 1
    assert "not the policy that the gateway runs" in done.err
    assert "projects" not in (other / "policy.yaml").read_text()
    assert asked("rollback", "--policies", str(other)).code == 1
