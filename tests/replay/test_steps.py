"""Steps of a run: what had come together by each frame, what changed, and where it broke."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.replay.breaking import Breaking
from gateway.replay.frames import ReplayFrame, view
from gateway.replay.stepping import steps_of
from gateway.replay.steps import Step
from gateway.storage.embedded.ledger import open_ledger
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, open_secret, persists

SECRETS = {(PROJECT, "run_1"): WRAPPED}
ASKED = {"request": {"user": "Pay 45"}, "context": []}
SEEN = {"request": {"user": "Pay 45"}, "context": [{"id": "c1", "text": "A page"}]}


@pytest.fixture
async def ledger(tmp_path):
    ledger = await open_ledger(tmp_path / "ledger.db")
    drafts = [
        events.started(name="pay"),
        events.decided({"amount": 45}, more=ASKED, decision_id="dec_1", action_id="act_1"),
        events.decided({"amount": 46}, more=SEEN, decision_id="dec_2", action_id="act_2"),
        events.resulted("dec_2"),
    ]
    await ledger.record(persists(drafts), SECRETS)
    yield ledger
    await ledger.close()


async def page(ledger, after: int = 0, limit: int = 50):
    return await steps_of(ledger, open_secret, PROJECT, "run_1", after, limit)


async def test_each_step_has_the_state_so_far_and_what_it_changed(ledger):
    found = await page(ledger)

    assert [step.seq for step in found.steps] == [1, 2, 3, 4]
    assert [step.state["counters"].get("calls", 0) for step in found.steps] == [0, 1, 2, 2]
    calls = [(c.before, c.after) for c in found.steps[2].changes if c.pointer == "/counters/calls"]
    assert calls == [(1, 2)]
    assert not found.has_more


async def test_a_decision_tells_what_was_new_since_the_one_before(ledger):
    found = await page(ledger)

    first, second = found.steps[1].news, found.steps[2].news
    assert [(c.pointer, c.before, c.after) for c in first] == [("/request/user", None, "Pay 45")]
    assert [(c.pointer, c.before, c.after) for c in second] == [("/context/c1", None, "A page")]


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_a_page_says_the_same_as_the_whole(ledger, limit):
    """State and news do not depend on where a page is cut."""
    whole = (await page(ledger)).steps

    cut: list[Step] = []
    while len(cut) < len(whole):
        cut += (await page(ledger, cut[-1].seq if cut else 0, limit)).steps

    assert cut == whole


def made(seq: int, tool: str, enforced: str = "allow", verdict: str | None = None) -> Any:
    body = {"tool": tool, "action_id": f"act_{seq}", "enforced": enforced}
    return frame(seq, "decision", {**body, "verdict": verdict or enforced})


def failed(seq: int, of: int) -> Any:
    return frame(seq, "result", {"action_id": f"act_{of}", "status": "failed"})


def frame(seq: int, kind: str, body: dict[str, Any]) -> ReplayFrame:
    times = ("2026-11-27T12:00:00Z",) * 2
    return ReplayFrame(
        seq, 0, f"evt_{seq}", kind, *times, "agent", None, None, None, body, {}, [], [], "", ""
    )


@pytest.mark.parametrize(
    ("frames", "broken"),
    [
        ([made(1, "a"), made(2, "b")], None),
        ([made(1, "a"), failed(2, 1), made(3, "b")], 1),
        # It failed, was tried again and went well: what broke came later.
        ([made(1, "a"), failed(2, 1), made(3, "a"), made(4, "b", "block"), made(5, "c")], 4),
        ([made(1, "a"), failed(2, 1), made(3, "a"), made(4, "a"), failed(5, 4)], 4),
        # A loop of refusals begins with the first of them.
        ([made(1, "a"), made(2, "b", "block"), made(3, "c"), made(4, "b", "block")], 2),
        ([made(1, "a", "allow", "block"), made(2, "b")], 1),
        ([made(1, "a", "allow", "block"), made(2, "b", "halt")], 2),
    ],
)
def test_the_step_that_broke(frames, broken):
    breaking = Breaking()
    for each in frames:
        breaking.add(each)

    assert (breaking.broken[0] if breaking.broken else None) == broken


async def test_the_view_is_what_steps_are_told_of(ledger):
    shown = await view(ledger, open_secret, PROJECT, "run_1")

    assert [each.seq for each in shown] == [step.seq for step in (await page(ledger)).steps]
