"""Calibration on a real gateway with the real guard: from traffic to a threshold, and back."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.live import Live, json, live_gateway
from tests.api.on_servers import opened_servers
from tests.calibrating.traffic import Asked, ask, cases
from tests.cli.commands import Done, checkrein
from tests.policies.folders import SHIPPED

FINE, WRONG = 90, 60
# A busy machine is no reason for a call without an assessment here.
PATIENT_MS = 1_000
EFFECT = "payment"
# One threshold for all, so that what `*` catches can be counted from the scores alone.
SHIPPED_THRESHOLDS = 'thresholds: {payment: 0.85, "*": 0.9}'


class Played:
    """A gateway, its policy folder, and what was asked of it before anybody calibrated."""

    def __init__(self, live: Live, folder: Path, asked: list[Asked]) -> None:
        self.live = live
        self.folder = folder
        self.asked = asked

    def command(self, *words: str) -> Done:
        environ = {"CHECKREIN_URL": self.live.url, "CHECKREIN_API_KEY": self.live.keys["full"]}
        return checkrein("intent", *words, cwd=self.folder.parent, environ=environ)

    def reload(self) -> None:
        self.live.run(self.live.gateway.rulebook.reload())


@pytest.fixture(scope="module", params=["embedded", "servers"])
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Played]:
    """Traffic of one project, every call labelled by one of two keys."""
    folder = tmp_path_factory.mktemp("played")
    policies = folder / "policies"
    shutil.copytree(SHIPPED, policies)
    manifest = policies / "policy.yaml"
    text = manifest.read_text()
    assert SHIPPED_THRESHOLDS in text
    manifest.write_text(text.replace(SHIPPED_THRESHOLDS, 'thresholds: {"*": 0.9}'))
    with ExitStack() as stack:
        on_servers = request.param == "servers"
        servers = stack.enter_context(opened_servers()) if on_servers else None
        live = stack.enter_context(
            live_gateway(folder, policies=policies, servers=servers, intent_ms=PATIENT_MS)
        )
        client = stack.enter_context(live.client())
        asked = [ask(client, case) for case in cases(FINE, WRONG)]
        with live.client("check") as other:
            for n, each in enumerate(asked):
                label(other if n % 2 else client, each)
        last = time.monotonic() + 30
        while len(json(client.get("/v1/intent/labels"))["labels"]) < len(asked):
            assert time.monotonic() < last
            time.sleep(0.1)
        yield Played(live, policies, asked)


def label(client: httpx2.Client, asked: Asked) -> None:
    path = f"/v1/decisions/{asked.decision_id}/feedback"
    given = client.post(path, json={"label": asked.label})
    assert given.status_code == 200, given.text


def post(client: httpx2.Client, path: str, **sent: Any) -> Any:
    answer = client.post(f"/v1/intent/{path}", json=sent)
    assert answer.status_code == 200, answer.text
    return json(answer)


def counted(asked: list[Asked], threshold: float) -> tuple[int, int, int]:
    """How many the rules would have caught; of these fine and not."""
    caught = [each for each in asked if each.chance >= threshold]
    return len(caught), sum(not e.case.wrong for e in caught), sum(e.case.wrong for e in caught)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_a_preview_agrees_with_counting_the_decisions(played: Played, threshold: float) -> None:
    """S1-26, also for calls that only read, which the rules hold to other chances."""
    by_class: dict[str, Callable[[Asked], bool]] = {
        "*": lambda _: True,
        "read": lambda each: "read" in each.side_effects,
        EFFECT: lambda each: EFFECT in each.side_effects,
    }
    with played.live.client() as client:
        for effect, is_of in by_class.items():
            of_class = [each for each in played.asked if is_of(each)]
            told = post(client, "preview", side_effect=effect, threshold=threshold)["preview"]

            assert told["decisions"] == len(of_class) > 10
            found = (told["caught"], told["caught_fine"], told["caught_misaligned"])
            assert found == counted(of_class, threshold)


def test_what_was_stopped_is_what_the_preview_of_todays_threshold_counts(played: Played) -> None:
    """The shipped rules spoke of just those calls."""
    spoke = [
        each
        for each in played.asked
        if any(reason["rule"].startswith("intent.") for reason in each.reply["reasons"])
    ]

    with played.live.client() as client:
        told = post(client, "preview", threshold=played.asked[0].assessment["threshold"])

    assert told["preview"]["caught"] == len(spoke) > 10


def test_a_threshold_is_applied_judges_and_is_taken_back(played: Played) -> None:
    """S1-26: a new policy version judges the next checks, and rollback brings back every byte."""
    manifest = played.folder / "policy.yaml"
    text = manifest.read_bytes()

    applied = played.command(
        *("calibrate", "--budget", "0.05", "--apply", "--policies", str(played.folder), "--json")
    )

    assert applied.code == 0, applied.err + applied.out
    told = applied.json
    assert told["proposal"]["basis"] == "labels"
    threshold = told["proposal"]["threshold"]
    assert threshold is not None, told["proposal"]["refused"]
    assert told["applied"]["block"]["thresholds"]["*"] == threshold
    project = told["project_id"]
    assert f"{project}: {{thresholds: {{" in manifest.read_text()
    fine = [each for each in played.asked if not each.case.wrong]
    assert told["preview"]["caught_fine"] <= 0.07 * len(fine)
    played.reload()
    with played.live.client() as client:
        again = [ask(client, each.case) for each in played.asked]
        reports = json(client.get("/v1/intent/report"))
    with played.live.client("other") as client:
        other = ask(client, played.asked[0].case)

    assert {each.reply["policy"]["digest"] for each in again} == {told["applied"]["digest"]}
    assert {each.assessment["threshold"] for each in again} == {threshold}
    assert reports["thresholds"]["*"] == threshold
    spoke = [
        any(reason["rule"].startswith("intent.") for reason in each.reply["reasons"])
        for each in again
    ]
    assert spoke == [each.chance >= threshold for each in again]
    assert sum(spoke) == told["preview"]["caught"] != told["preview_now"]["caught"]
    assert other.assessment["threshold"] == played.asked[0].assessment["threshold"]

    back = played.command("rollback", "--policies", str(played.folder), "--json").json
    assert manifest.read_bytes() == text
    assert back["digest"] == told["policy_digest"]
    played.reload()
    with played.live.client() as client:
        last = ask(client, played.asked[0].case)
    assert last.reply["policy"]["digest"] == told["policy_digest"]
    assert last.assessment == played.asked[0].assessment


def test_a_proposal_on_trial_is_counted_and_then_judges(played: Played) -> None:
    """S1-27: it judges nothing before labels of later decisions let it, and one step takes it
    back."""
    folder = ("--policies", str(played.folder), "--json")
    text = (played.folder / "policy.yaml").read_bytes()
    put = played.command("calibrate", "--shadow", "--apply", *folder)
    assert put.code == 0, put.err + put.out
    threshold = put.json["proposal"]["threshold"]
    played.reload()
    with played.live.client() as client, played.live.client("check") as other:
        before = json(client.get("/v1/intent/report"))["shadow"]
        early = played.command("switch", "--apply", *folder)
        later = [ask(client, each.case) for each in played.asked[:70]]
        for n, each in enumerate(later):
            label(other if n % 2 else client, each)
        last = time.monotonic() + 30
        while True:
            told = json(client.get("/v1/intent/report"))
            if told["shadow"]["fine"] + told["shadow"]["misaligned"] == len(later):
                break
            assert time.monotonic() < last
            time.sleep(0.1)

    assert (before["decisions"], before["ready"]) == (0, False)
    assert (early.code, early.json["block"], early.json["applied"]) == (1, None, None)
    assert {each.assessment["threshold"] for each in later} == {told["thresholds"]["*"]}
    assert told["thresholds"]["*"] != threshold
    shadow = told["shadow"]
    assert shadow["decisions"] == len(later)
    assert shadow["shadow"]["caught"] - shadow["now"]["caught"] == (
        shadow["only_shadow"] - shadow["only_now"]
    )
    assert shadow["shadow"]["caught"] > shadow["now"]["caught"]
    assert shadow["ready"], shadow["reasons"]

    done = played.command("switch", "--apply", *folder)
    assert done.code == 0, done.err + done.out
    assert b"shadow" not in (played.folder / "policy.yaml").read_bytes()
    played.reload()
    with played.live.client() as client:
        judged = [ask(client, each.case) for each in played.asked[:70]]
    spoke = [
        any(reason["rule"].startswith("intent.") for reason in each.reply["reasons"])
        for each in judged
    ]
    assert {each.assessment["threshold"] for each in judged} == {threshold}
    assert sum(spoke) == shadow["shadow"]["caught"]

    for _ in range(2):
        assert played.command("rollback", *folder).code == 0
    assert (played.folder / "policy.yaml").read_bytes() == text


def test_another_project_learns_nothing_of_it(played: Played) -> None:
    with played.live.client("other") as client:
        told = json(client.get("/v1/intent/report"))
        refused = client.post(
            f"/v1/decisions/{played.asked[0].decision_id}/feedback", json={"label": "fine"}
        )

    assert refused.status_code == 404
    assert told["report"]["stage"]["labels"] == 0
    assert told["considered"]["scored"] <= 1
