"""The compact record: gathered from frames, without a payload, and honest about what was seen."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.replay.frames import ReplayFrame, frames
from gateway.replay.record.keeping import NAMED_MAX, RecordKeeper
from gateway.replay.record.shape import RunRecord
from gateway.storage.ports import StoredEvent
from tests.ledger import events

ROW: dict[str, Any] = {
    "run_id": "run_1",
    "external_id": None,
    "name": "r",
    "environment": "production",
    "agent_id": "writer",
    "user_id": None,
    "parent_run_id": None,
    "started_at": events.NOON,
    "ended_at": None,
    "status": "running",
    "events": 1,
}


def frame(seq: int, kind: str, body: Any = None, **fields: Any) -> ReplayFrame:
    defaults: dict[str, Any] = {
        "id": f"evt_{seq}",
        "epoch": 0,
        "occurred_at": events.NOON,
        "recorded_at": events.NOON,
        "actor": "agent",
        "turn_id": None,
        "action_id": None,
        "parent_id": None,
        "content": {},
        "erased": [],
        "broken": [],
        "prev_hash": "",
        "hash": "",
    }
    return ReplayFrame(seq=seq, type=kind, body=body or {}, **{**defaults, **fields})


def decided(seq: int, action_id: str = "act_1", seen: Any = None, **body: Any) -> ReplayFrame:
    evidence = {
        "action_id": action_id,
        "decision_id": f"dec_{seq}",
        "tool": "files.write",
        "side_effects": ["write"],
        "verdict": "allow",
        "enforced": "allow",
        "mode": "block",
        "rules": [],
        "policy_digest": "d",
        "arguments_digest": "a",
        **body,
    }
    content = {} if seen is None else {"frame": seen}
    return frame(seq, "decision", evidence, action_id=action_id, content=content)


def resulted(seq: int, action_id: str = "act_1", **body: Any) -> ReplayFrame:
    evidence = {"action_id": action_id, "status": "succeeded", **body}
    return frame(seq, "result", evidence, content={"output": {"ok": True}})


def record(*told: ReplayFrame, children: Any = (), costs: Any = None) -> RunRecord:
    keeper = RecordKeeper()
    for each in told:
        keeper.add(each)
    return keeper.record(ROW, children, costs or {}, complete=True)


def boundary(found: RunRecord, name: str) -> tuple[str, int, int, int, int]:
    (each,) = [each for each in found.capture if each.boundary == name]
    return (each.state, each.recorded, each.stubbed, each.denied, each.unobserved)


def test_a_call_says_who_decided_with_what_and_what_came_of_it():
    """S4-1, S4-3, S4-7."""
    seen = {
        "action": {"arguments": {"path": "a"}},
        "context": [{"source": "wiki", "trusted": False}],
        "model": {"id": "m-2"},
        "tools_available": [{"name": "files.write", "digest": "s"}],
    }
    asked = frame(1, "model_call", {"id": "m-1", "prompt_version": "v7"})
    mcp = {"mcp_client": "desk", "mcp_server": "files", "schema_digest": "s"}
    cost = {"value": 3, "currency": "usd"}

    found = record(asked, decided(2, seen=seen, **mcp), resulted(3, cost=cost, duration_ns="9"))

    (call,) = found.tool_calls
    assert (call.model, call.prompt_version, call.status) == ("m-2", "v7", "succeeded")
    assert call.mcp is not None
    assert (call.mcp.client, call.mcp.server, call.mcp.schema_digest) == ("desk", "files", "s")
    assert (call.read_only, call.decided_by, call.approval_state) == (
        *(False, "policy"),
        "not_required",
    )
    assert [(ref.seq, ref.pointer, ref.source) for ref in call.input_refs] == [
        (2, "/frame/action/arguments", None),
        (2, "/frame/context/0", "wiki"),
    ]
    assert [(ref.seq, ref.pointer) for ref in call.output_refs] == [(3, "/output")]
    assert (call.cost, call.duration_ns) == ({"USD": 3}, "9")
    assert [(tool.name, tool.digest) for tool in found.tools_available] == [("files.write", "s")]
    assert found.mcp_servers == ["files"]


@pytest.mark.parametrize(
    ("told", "state", "status", "by"),
    [
        ([], "not_required", "unreported", "policy"),
        ([resulted(9, status="failed")], "not_required", "failed", "policy"),
        (
            [frame(4, "approval_requested", {"action_id": "act_1", "approval_id": "apr_1"})],
            *("requested", "awaiting_approval", "policy"),
        ),
        (
            [
                frame(4, "approval_requested", {"action_id": "act_1", "approval_id": "apr_1"}),
                frame(5, "approval_expired", {"action_id": "act_1", "approval_id": "apr_1"}),
            ],
            *("expired", "blocked", "policy"),
        ),
    ],
)
def test_every_state_of_an_approval_is_told(told, state, status, by):
    asks = bool(told) and told[0].type == "approval_requested"
    first = decided(2, enforced="require_approval" if asks else "allow")

    (call,) = record(first, *told).tool_calls

    assert (call.approval_state, call.status, call.decided_by) == (state, status, by)


def test_an_approval_that_was_asked_anew_did_not_expire():
    """What nobody answered is told apart from what was judged again in the meantime."""
    ids = {"action_id": "act_1", "approval_id": "apr_1"}
    over = frame(4, "approval_expired", ids)
    anew = frame(4, "approval_expired", {**ids, "superseded": True})
    asked = [decided(2, enforced="require_approval"), frame(3, "approval_requested", ids)]

    expired, superseded = (
        next(each for each in record(*asked, end).capture if each.boundary == "approval")
        for end in (over, anew)
    )

    assert (expired.denied, superseded.denied) == (1, 0)
    assert expired.reasons == ["Of 1 nobody answered in time: they expired."]
    assert superseded.reasons == []


def test_a_call_that_was_judged_again_is_one_call_and_its_last_word_stands():
    again = decided(4, enforced="allow", waived=["refunds.limit"])

    (call,) = record(decided(2, enforced="require_approval"), again, resulted(5)).tool_calls

    assert (call.tries, call.seq, call.approval_state) == (2, 4, "approved")
    assert (call.decided_by, call.status) == ("person", "succeeded")


def test_each_agent_pays_for_itself():
    """S4-8: by agent, in this run and in those below."""
    spent: list[dict[str, Any]] = [
        {"cost": {"value": 10, "currency": "USD"}},
        {"cost": {"value": 4, "currency": "USD"}, "agent_id": "critic"},
    ]
    used = {"id": "m", "usage": {"input_tokens": 5, "output_tokens": 1}}
    told = [frame(n, "model_call", {**used, **each}) for n, each in enumerate(spent, 1)]
    tool = [decided(3), resulted(4, cost={"value": 100, "currency": "USD"})]
    child = {"run_id": "run_2", "agent_id": "helper", "status": "succeeded", "actions": 7}

    found = record(*told, *tool, children=[child], costs={"run_2": {"USD": 2}})

    assert [(each.agent_id, each.cost, each.tool_calls) for each in found.cost_by_agent] == [
        ("writer", {"USD": 110}, 1),
        ("critic", {"USD": 4}, 0),
        ("helper", {"USD": 2}, 7),
    ]
    assert (found.cost, found.input_tokens) == ({"USD": 114}, 10)
    assert [each.run_id for each in found.child_runs] == ["run_2"]


def test_what_was_made_verified_handed_on_and_shared_is_there():
    """S2-8, S4-8: the chain from agent to call to file is kept."""
    artifact = frame(
        3,
        "artifact",
        {"path": "a.md", "access": "created"},
        action_id="act_1",
        turn_id="t1",
        content={"observation": {"name": "a.md"}},
    )
    handoff = {"to_agent": "b", "child_run_id": "run_2", "digests": ["d"], "version": "v2"}
    retry = frame(6, "retry", {"kind": "fallback", "route": "m-2", "number": 2}, action_id="act_1")

    found = record(
        decided(2),
        artifact,
        frame(4, "verification", {"status": "failed", "kind": "test"}),
        frame(5, "handoff", {**handoff, "kind": "escalated", "retry_owner": "b"}),
        retry,
        frame(7, "shared_state", {"store": "plan", "version": "v2", "access": "written"}),
    )

    assert [(each.path, each.call_id, each.agent_id) for each in found.artifacts] == [
        ("a.md", "act_1", "writer")
    ]
    assert found.tool_calls[0].artifacts == [3]
    assert [(turn.turn_id, turn.artifacts) for turn in found.turns] == [("t1", [3])]
    assert found.verification[0].kind == "test"
    assert (found.handoffs[0].artifacts, found.handoffs[0].retry_owner) == (["d"], "b")
    assert [(each.kind, each.route) for each in found.tool_calls[0].retries] == [
        ("fallback", "m-2")
    ]
    assert found.shared_state[0].access == "written"


def test_the_manifest_counts_what_crossed_and_what_was_not_seen():
    """N10."""
    found = record(
        decided(1, "a"),
        resulted(2, "a"),
        decided(3, "b", enforced="block", mcp_server="files"),
        decided(4, "c", mcp_server="files"),
        frame(5, "gap", {"tool": "t"}),
        frame(6, "model_call", {"id": "m"}, content={"observation": {"messages": [], "answer": 1}}),
        frame(7, "model_call", {"id": "m"}),
    )

    assert boundary(found, "tool") == ("partial", 1, 0, 1, 2)
    assert boundary(found, "model") == ("partial", 1, 0, 0, 1)
    assert boundary(found, "mcp") == ("partial", 1, 0, 1, 0), "both without a schema"
    assert boundary(found, "clock")[0] == boundary(found, "random")[0] == "unobserved"


def test_a_run_of_which_nothing_was_told_claims_nothing():
    found = record(decided(1), resulted(2))

    assert boundary(found, "tool") == ("complete", 1, 0, 0, 0)
    assert boundary(found, "model")[0] == boundary(found, "retrieval")[0] == "unobserved"
    assert boundary(found, "mcp")[0] == "unused"


def test_lost_reports_and_erased_parts_show():
    found = record(
        frame(1, "message", {"client_seq": 1}),
        frame(2, "message", {"client_seq": 4}, erased=["observation/text"]),
        decided(3),
        resulted(4),
    )

    assert boundary(found, "tool")[0] == "partial"
    (tool,) = [each for each in found.capture if each.boundary == "tool"]
    assert "2 reports of the SDK never arrived." in tool.reasons
    assert boundary(found, "content") == ("partial", 0, 0, 0, 1)


def test_a_hostile_run_makes_no_large_record():
    many = [decided(n, f"act_{n}", seen={"tools_available": [f"t{n}"]}) for n in range(1, 2_000)]
    many += [frame(n, "artifact", {"path": f"{n}"}) for n in range(2_000, 4_000)]

    found = record(*many)

    assert len(found.tool_calls) == len(found.artifacts) == NAMED_MAX
    assert len(found.tools_available) == NAMED_MAX
    assert found.left_out == 999 + 1_000


def test_a_record_holds_for_real_events_and_no_payload():
    """From sealed events, as any reader gets them."""
    drafts = [
        events.started(agent_id="writer"),
        events.decided({"secret": "canary-9f2"}, decision_id="dec_1", action_id="act_1"),
        events.resulted("dec_1"),
    ]
    persisted = events.persists(drafts)
    stored: list[StoredEvent] = []
    sealed: dict[str, bytes] = {}
    for each in persisted:
        keys = {name: blob.key for name, (_, blob) in each.blobs.items()}
        sealed |= {blob.key: blob.sealed for _, blob in each.blobs.values()}
        stored.append(StoredEvent(msgspec.json.encode(each.event), "00" * 32, keys))

    found = record(*frames(stored, sealed, events.KEYS))

    assert [call.status for call in found.tool_calls] == ["succeeded"]
    assert "canary" not in repr(found)
