"""From frames to a recording: what is erased, what ran unchecked, what waited for a person."""

from __future__ import annotations

from typing import Any

from gateway.replay.frames import ReplayFrame
from gateway.replay.recording.assembling import assemble
from gateway.replay.recording.recorded import Recording, cassette
from gateway.replay.recording.recorder import Recorder

ROW: dict[str, Any] = {
    "run_id": "run_1",
    "environment": "production",
    "status": "succeeded",
    "started_at": "2026-11-20T12:00:00.000000Z",
    "ended_at": None,
    "name": "desk",
    "agent_id": None,
    "external_id": None,
}


def frame(seq: int, type: str, body: dict[str, Any], **more: Any) -> ReplayFrame:
    at = f"2026-11-20T12:00:{seq:02}.000000Z"
    made: dict[str, Any] = {
        "epoch": 0,
        "id": f"evt_{seq}",
        "occurred_at": at,
        "recorded_at": at,
        "actor": "gateway",
        "turn_id": None,
        "action_id": body.get("action_id"),
        "parent_id": None,
        "content": {},
        "erased": [],
        "broken": [],
        "prev_hash": "",
        "hash": "",
    }
    return ReplayFrame(seq=seq, type=type, body=body, **{**made, **more})


def decision(seq: int, enforced: str = "allow", action: str = "", **more: Any) -> ReplayFrame:
    body = {
        "decision_id": f"dec_{seq}",
        "action_id": action or f"act_{seq}",
        "tool": "crm.read",
        "side_effects": ["read"],
        "verdict": enforced,
        "enforced": enforced,
        "mode": "block",
        "rules": [{"rule": "r", "effect": enforced, "enforced": enforced}],
        "submitted_digest": "aa",
        "arguments_digest": "aa",
        "policy_digest": "p",
        "decided_ns": "1763640000000000000",
    }
    content = {"frame": {"action": {"arguments": {"id": 1}}, "assessment": None}}
    return frame(seq, "decision", body, **{"content": content, **more})


def result(seq: int, of: int, **more: Any) -> ReplayFrame:
    body = {"decision_id": f"dec_{of}", "action_id": f"act_{of}", "status": "succeeded"}
    return frame(seq, "result", body, **more)


def recorded(*frames: ReplayFrame) -> Recording:
    recorder = Recorder(ROW)
    for each in frames:
        recorder.add(each)
    return assemble([recorder])


def test_of_an_erased_run_the_calls_stay_and_say_so() -> None:
    """N9: what is gone is named, and nothing stands in its place."""
    gone: dict[str, Any] = {"content": {}, "erased": ["frame", "decision"]}

    made = recorded(decision(1, **gone), result(2, 1, erased=["output"]))

    (call,) = made.calls
    assert (call.arguments, call.arguments_digest) == (None, "aa")
    assert (call.outcome, call.output, call.not_stored) == ("returned", None, "erased")
    assert call.decision is not None
    assert call.decision["reasons"][0]["rule"] == "r"
    assert "3 parts of the content" in made.incomplete[0]


def test_a_recording_says_what_was_observed_of_all_its_runs() -> None:
    """N10: what a simulation inherits."""
    below = Recorder({**ROW, "run_id": "run_2"}, ("desk 1",))
    above = Recorder(ROW)
    for each in (decision(1), result(2, 1)):
        above.add(each)
    below.add(decision(1))

    found = assemble([above, below], complete=False).capture

    assert found is not None
    assert (found.runs, found.complete) == (2, False)
    (tool,) = [each for each in found.boundaries if each.boundary == "tool"]
    assert (tool.recorded, tool.unobserved) == (1, 1)
    assert found.says.startswith("What was recorded can be simulated; what models answered")


def test_arguments_of_which_a_part_is_gone_are_none() -> None:
    (call,) = recorded(decision(1, erased=["frame/action/arguments/0"])).calls

    assert call.arguments is None


def test_content_that_was_changed_is_not_an_output() -> None:
    made = recorded(decision(1), result(2, 1, broken=["output"]))

    assert made.calls[0].not_stored == "changed"


def test_a_gap_is_a_call_without_a_decision() -> None:
    body = {"tool": "crm.read", "side_effects": ["read"], "arguments_digest": "bb"}

    (call,) = recorded(frame(1, "gap", body)).calls

    assert (call.decision, call.outcome, call.not_stored) == (
        None,
        "unknown",
        "ran without a decision",
    )
    assert (call.tool, call.arguments_digest) == ("crm.read", "bb")


def test_what_became_of_an_approval_is_told() -> None:
    def asked(seq: int, of: int) -> ReplayFrame:
        body = {"decision_id": f"dec_{of}", "expires_ns": "1763643600000000000"}
        return frame(seq, "approval_requested", body)

    made = recorded(
        decision(1, "require_approval", "a"),
        asked(2, 1),
        decision(3, "allow", "a"),
        decision(4, "require_approval", "b"),
        frame(5, "approval_expired", {"decision_id": "dec_4"}),
        decision(6, "require_approval", "c"),
    )

    assert [each.approval for each in made.calls] == ["approved", None, "expired", "pending"]


def test_calls_within_calls_and_overlapping_ones_keep_their_places() -> None:
    made = recorded(
        decision(1),
        decision(2, parent_id="act_1", turn_id="t"),
        result(3, 2),
        result(4, 1),
    )

    outer, inner = made.calls
    assert (outer.task, inner.task, inner.inside) == ((), ("in crm.read",), "act_1")
    assert outer.begins < inner.begins < (inner.ends or 0) < (outer.ends or 0)


def test_the_same_frames_give_the_same_bytes() -> None:
    frames = [decision(1), result(2, 1)]

    assert cassette(recorded(*frames)) == cassette(recorded(*frames))


def test_runs_are_put_in_one_order_by_time() -> None:
    """Each run counts from 1, and none of its events moves before another of its own."""
    first, second = Recorder(ROW), Recorder({**ROW, "run_id": "run_2"}, ("helper 1",))
    for each in (decision(1), decision(5)):
        first.add(each)
    at = "2026-11-20T12:00:03.000000Z"
    for each in (decision(1, recorded_at=at), decision(2, recorded_at=ROW["started_at"])):
        second.add(each)

    made = assemble([first, second])

    assert [(each.run_id, each.seq) for each in made.calls] == [
        ("run_1", 1),
        ("run_2", 1),
        ("run_2", 2),
        ("run_1", 5),
    ]
    assert made.calls[1].task == ("helper 1",)
