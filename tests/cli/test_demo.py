"""`checkrein demo`: six failures, three modes, and it says so when one is not caught (S1-14)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.cli.stories import STORIES, assessed, attempts, ran, surprises
from tests.cli.commands import Done, checkrein

NAMES = {story.name for story in STORIES}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The whole demonstration, once."""
    return checkrein("demo", "--json", cwd=tmp_path_factory.mktemp("demo"), seconds=120)


def test_all_six_are_caught_in_all_modes(played: Done) -> None:
    """S1-14, S1-30: log lets everything run, warn warns, block stops."""
    assert played.code == 0, played.out + played.err
    assert played.json["ok"] is True
    assert played.json["simulations"].keys() == NAMES
    for modes in played.json["simulations"].values():
        assert modes.keys() == {"log", "warn", "block"}


def test_the_stripe_run_is_stepped_through(played: Done) -> None:
    """S1-11: a charge was asked for, the plan says no refund, the call says refund."""
    frames = played.json["replay"]["frames"]

    (decided,) = [frame for frame in frames if frame["type"] == "decision"]
    seen = decided["content"]["frame"]
    assert "4,500 USD" in seen["request"]["user"]
    assert seen["request"]["plan"]["arguments"]["is_refund"] is False
    assert seen["action"]["arguments"]["is_refund"] is True
    assert decided["content"]["decision"]["enforced"] == "block"


def test_nothing_of_it_stays_behind(tmp_path: Path) -> None:
    """Gateway and data are gone, and a person can read what happened."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    done = checkrein("demo", cwd=tmp_path, environ={"TMPDIR": str(temporary)})

    assert done.code == 0, done.out + done.err
    assert list(temporary.iterdir()) == []
    for story in STORIES:
        assert story.title in done.out
    for shown in ("asked", "tried", "why", "what ran", "frame by frame", "<- the plan says false"):
        assert shown in done.out
    assert "Playing 6 of 6" in done.err


def summary(*decided: tuple[str, str], ran: int, ended: str = "finished") -> dict[str, Any]:
    """A summary of calls of the Stripe tool: (verdict, enforced) of each."""
    tool, rule = next(iter(STORIES[0].caught.items()))
    tried = [
        {
            "tool": tool,
            "verdict": verdict,
            "enforced": enforced,
            "mode": "block",
            "rule": rule,
            "reason": "because",
            "elapsed_ms": 1.0,
        }
        for verdict, enforced in decided
    ]
    return {"tried": tried, "ran": [{"tool": tool}] * ran, "ended": ended}


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        (summary(("block", "block"), ran=1), "ran"),
        (summary(("block", "allow"), ran=1), "enforced allow"),
        (summary(("allow", "allow"), ran=1), "did not catch"),
        (summary(("block", "block"), ran=0, ended="halted"), "halted"),
        (summary(ran=0), "no mode"),
    ],
)
def test_what_goes_wrong_is_said(happened: dict[str, Any], said: str) -> None:
    """A demonstration that cannot fail shows nothing."""
    assert list(surprises(STORIES[0], "block", summary(("block", "block"), ran=0))) == []
    assert any(said in each for each in surprises(STORIES[0], "block", happened))


def test_a_loop_that_never_ends_is_said() -> None:
    loop = replace(STORIES[0], allowed=None, ends="halted")
    happened = summary(("block", "block"), ("block", "block"), ran=2)

    assert len(list(surprises(loop, "block", happened))) == 2


def test_a_rule_that_is_not_the_first_to_speak_has_caught_it_too() -> None:
    happened = summary(("block", "block"), ran=0)
    (tried,) = happened["tried"]
    rule = tried["rule"]
    several = {**happened, "tried": [{**tried, "rule": "a.first", "rules": ["a.first", rule]}]}
    another = {**happened, "tried": [{**tried, "rules": ["a.first"]}]}

    assert list(surprises(STORIES[0], "block", several)) == []
    assert list(surprises(STORIES[0], "block", another)) != []


def test_what_the_intent_guard_says_is_told_where_it_doubts_a_call() -> None:
    happened = summary(("block", "block"), ("allow", "allow"), ran=1)
    sure = {"score": 0.97, "field": "/action/tool", "finding": "is_refund is True, plan says False"}
    happened["tried"][0]["assessed"] = sure
    happened["tried"][1]["assessed"] = {**sure, "score": 0.1}

    assert assessed(happened) == [
        f"{happened['tried'][0]['tool']}: 97% not what was asked for; {sure['finding']}"
    ]


def test_like_calls_are_told_together() -> None:
    happened = summary(("allow", "allow"), ("block", "block"), ("block", "block"), ran=1)

    assert [(each.verdict, each.count) for each in attempts(happened)] == [
        ("allow", 1),
        ("block", 2),
    ]
    assert ran(happened) == "stripe.create_charge_or_refund"
    assert ran({**happened, "ran": [], "ended": "halted"}) == "nothing; the run was halted"
