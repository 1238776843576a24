"""Runs and what is observed in them: carried by the next check, told at the end, lost never."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import checkrein
import pytest
from checkrein import Blocked, guard, observe, run


@guard("tool", trust="unseen")
def tool(a: int = 1) -> int:
    return a


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def test_a_check_carries_what_the_agent_was_asked_plans_and_read(peer):
    """design.md 2: nothing that the decision depended on arrives after it."""
    with run("support", agent="support-bot", user_request="charge 9281", user_id="u_1") as r:
        r.observe(
            plan={"text": "Charge it.", "arguments": {"is_refund": False}, "tool": "tool"},
            context=[{"id": "doc_1", "source": "orders", "trusted": True, "text": "order 9281"}],
            reasoning="The user asked.",
            model={"provider": "acme", "id": "m-1", "parameters": {"temperature": 0}},
            prompt_version="v7",
            tools_available=["tool", "other"],
            external_state={"open_orders": 1},
        )
        tool()

    check = peer.checks[0]
    assert check["run"] == {
        "id": r.id,
        "name": "support",
        "agent_id": "support-bot",
        "user_id": "u_1",
    }
    assert check["request"] == {
        "user": "charge 9281",
        "plan": {"text": "Charge it.", "arguments": {"is_refund": False}, "tool": "tool"},
        "reasoning": "The user asked.",
    }
    assert check["context"] == [
        {"id": "doc_1", "source": "orders", "trusted": True, "text": "order 9281"}
    ]
    assert check["model"] == {"provider": "acme", "id": "m-1", "parameters": {"temperature": 0}}
    assert check["prompt_version"] == "v7"
    assert check["tools_available"] == ["tool", "other"]
    assert check["external_state"] == {"open_orders": 1}
    assert kinds(check["events"]) == ["run_started"]


def test_the_second_check_refers_to_context_the_run_already_holds(peer):
    with run("r") as r:
        r.observe(context="one", reasoning="why the first")
        tool()
        r.observe(context=["two", "one"])
        tool()

    first, second = peer.checks
    assert [item["text"] for item in first["context"]] == ["one"]
    assert second["context"] == [
        {
            "id": second["context"][0]["id"],
            "source": "retrieved",
            "trusted": False,
            "text": "two",
        },
        {"ref": first["context"][0]["id"]},
    ]
    assert "reasoning" not in second.get("request", {})


def test_context_that_changed_under_its_id_is_sent_again(peer):
    with run("r") as r:
        r.observe(context={"id": "doc", "text": "old"})
        tool()
        r.observe(context={"id": "doc", "text": "new"})
        tool()

    assert [check["context"][0]["text"] for check in peer.checks] == ["old", "new"]


def test_what_a_failed_check_carried_is_carried_by_the_next_one(peer):
    peer.configure(environment="development")
    peer.answer(peer.plain(500, {}))

    with run("r") as r:
        r.observe(context="one", reasoning="because")
        checkrein.record_message("user", "hello")
        tool()
        tool()

    second = peer.checks[1]
    assert second["context"][0]["text"] == "one"
    assert second["request"]["reasoning"] == "because"
    assert kinds(second["events"]) == ["run_started", "message"]


def test_a_run_without_any_check_is_told_whole_at_its_end(peer):
    with run("quiet", user_request="just think") as r:
        r.observe(plan="think", context="a page")
        r.observe(plan="think again")
        r.finish("escalated", output={"answer": 42})
    assert checkrein.flush(5)

    assert [batch["run"]["id"] for batch in peer.batches] == [r.id]
    events = peer.events
    assert kinds(events) == ["run_started", "plan", "run_ended", "request", "plan", "context"]
    assert [event["client_seq"] for event in events] == list(range(1, 7))
    assert all(event["occurred_at"].endswith("Z") for event in events)
    assert events[2]["status"] == "escalated"
    assert events[2]["output"] == {"answer": 42}


def test_a_run_that_raises_has_failed_and_says_why(peer):
    with pytest.raises(KeyError), run("bad"):
        raise KeyError("lost")
    assert checkrein.flush(5)

    assert peer.events[-1]["status"] == "failed"
    assert peer.events[-1]["error"] == "KeyError: 'lost'"


def test_every_event_has_its_own_number(peer):
    """design.md 8: `client_seq` shows what an SDK lost."""
    with run("r") as r:
        for n in range(40):
            checkrein.record_message("user", f"message {n}")
            if n % 7 == 0:
                tool(n)
        with r.turn():
            tool(0)
    assert checkrein.flush(5)

    numbers = sorted(event["client_seq"] for event in peer.events)
    assert numbers == list(range(1, len(numbers) + 1))


def test_nested_runs_are_children_and_the_outer_one_is_current_again(peer):
    with run("parent", agent="boss", user_id="u_1") as parent:
        with run("child") as child:
            tool(1)
        tool(2)
    tool(3)

    inner, outer, alone = (check.get("run", {}) for check in peer.checks)
    assert inner["id"] == child.id
    assert inner["parent_run_id"] == parent.id
    assert inner["agent_id"] == "boss"
    assert inner["user_id"] == "u_1"
    assert outer["id"] == parent.id
    assert "id" not in alone


async def test_tasks_keep_to_their_own_runs(peer):
    @guard("async.tool")
    async def step(name: str) -> None:
        await asyncio.sleep(0)

    async def agent(name: str) -> str:
        async with run(name) as r:
            for _ in range(3):
                await step(name)
            return r.id

    ids = await asyncio.gather(*(agent(f"agent-{n}") for n in range(5)))

    seen = {check["action"]["arguments"]["name"]: check["run"]["id"] for check in peer.checks}
    assert seen == {f"agent-{n}": id_ for n, id_ in enumerate(ids)}


def test_a_new_thread_joins_a_run_when_told_to(peer):
    with run("r") as r:

        def work() -> None:
            with r.use():
                tool(5)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert peer.checks[0]["run"]["id"] == r.id


def test_turns_are_named_in_checks_and_events(peer):
    with run("r") as r:
        with r.turn("turn-7"):
            tool()
            checkrein.record_message("user", "hi")
        tool()

    assert peer.checks[0]["run"]["turn_id"] == "turn-7"
    assert "turn_id" not in peer.checks[1]["run"]
    assert {event["type"]: event.get("turn_id") for event in peer.checks[1]["events"]} == {
        "message": "turn-7",
        "turn_ended": "turn-7",
    }


def test_results_say_what_followed(peer):
    """S2-8: output, digest, duration; or the error."""

    @guard("works", cost=lambda output: (3, "usd"))
    def works() -> dict[str, int]:
        return {"n": 1}

    @guard("breaks")
    def breaks() -> None:
        raise RuntimeError("no route")

    @guard("secret", capture="digest")
    def secret() -> str:
        return "the answer"

    works()
    with pytest.raises(RuntimeError):
        breaks()
    secret()
    assert checkrein.flush(5)

    good, bad, hidden = peer.results
    assert good["path"] == "/v1/decisions/dec_1/result"
    assert good["status"] == "succeeded"
    assert good["output"] == {"n": 1}
    assert len(good["output_digest"]) == 64
    assert good["duration_ns"].isdecimal()
    assert good["cost"] == {"value": 3, "currency": "usd"}
    assert good["truncated"] is False
    assert bad["status"] == "failed"
    assert bad["error"] == {"type": "RuntimeError", "message": "no route"}
    assert hidden["output"] is None
    assert len(hidden["output_digest"]) == 64


def test_a_stopped_call_has_no_result(peer):
    peer.default = peer.decision("block")

    with pytest.raises(Blocked):
        tool()
    checkrein.flush(5)

    assert peer.results == []


def test_a_result_arrives_before_the_next_check_of_its_run(peer):
    """design.md 2: what a call returned may be what the next decision depends on."""
    order: list[str] = []

    def check(handler: Any, said: Any) -> None:
        order.append("check")
        peer.decision("allow")(handler, said)

    def result(handler: Any, said: Any) -> None:
        order.append("result")
        peer.plain(200, {})(handler, said)

    peer.default, peer.reports = check, result

    with run("r"):
        for n in range(5):
            tool(n)
        assert order[:9] == ["check", "result"] * 4 + ["check"]


def test_the_output_of_an_untrusted_tool_is_context_of_the_next_check(peer):
    @guard("web.fetch", trust=False)
    def fetch(url: str) -> str:
        return f"page of {url}"

    with run("r"):
        fetch("x")
        tool()

    assert peer.checks[1]["context"] == [
        {
            "id": peer.checks[1]["context"][0]["id"],
            "source": "web.fetch",
            "trusted": False,
            "text": "page of x",
        }
    ]


def test_the_items_of_a_generator_are_its_output(peer):
    @guard
    def pages() -> Any:
        yield "a"
        yield "b"

    @guard
    async def more() -> Any:
        yield "c"
        yield "d"

    async def first() -> None:
        items = more()
        await anext(items)
        await items.aclose()

    list(pages())
    asyncio.run(first())
    assert checkrein.flush(5)

    assert [result["output"] for result in peer.results] == [["a", "b"], ["c"]]
    assert [result["truncated"] for result in peer.results] == [False, True]


def test_a_flood_of_observations_never_makes_a_body_too_large(peer):
    """The gateway's gate closes at 256 KiB and 20,000 values."""
    with run("big") as r:
        for n in range(30):
            r.observe(context={"source": f"doc {n}", "text": f"{n} " + "x" * 30_000})
            checkrein.record_model_call(
                model="m", messages=[{"role": "user", "content": "y" * 900}] * 200, answer="z"
            )
        tool()
        checkrein.record_artifact("huge", "w" * 3_000_000)
    assert checkrein.flush(10)

    assert max(map(len, peer.bodies)) <= 256 * 1024
    assert sum(event["type"] == "model_call" for event in peer.events) == 30
    assert sum(event["type"] == "artifact" for event in peer.events) == 1


def test_observing_outside_of_a_run_is_said_once_and_harms_nobody(peer, caplog):
    observe(plan="x")
    observe(plan="y")

    assert caplog.text.count("outside of `with run(...)`") <= 1


def test_recorded_observations_have_the_shape_of_the_contract(peer):
    with run("r"):
        checkrein.record_model_call(
            provider="acme",
            model="m-1",
            parameters={"temperature": 0},
            prompt_version="v1",
            system="be good",
            messages=[{"role": "user", "content": "hi"}],
            tools=[{"name": "t"}],
            answer={"text": "yes"},
            reasoning="because",
            input_tokens=10,
            output_tokens=2,
            cost=(5, "usd"),
            duration_ns=2**60,
        )
        checkrein.record_artifact("a.md", "text", uri="file:///a.md", media_type="text/markdown")
        checkrein.record_artifact("b.bin", b"\x00")
        checkrein.record_verification("tests", passed=False, output="1 failed")
        checkrein.record_handoff("other", child_run_id="run_2", reason="expert")
        checkrein.record_feedback("wrong", comment="no", decision_id="dec_1")
        checkrein.record_message("user", "hello")
        checkrein.record_retry("fallback", action_id="act_1", detail="second model")
        checkrein.record_shared_state("plan", "v2", access="written")
        checkrein.record_artifact("c", path="docs/c.md", access="read", agent_id="critic")
        tool()

    events = peer.checks[0]["events"]
    assert kinds(events) == [
        *("run_started", "model_call", "artifact", "artifact", "verification", "handoff"),
        *("feedback", "message", "retry", "shared_state", "artifact"),
    ]
    call, text, binary = events[1:4]
    assert call["usage"] == {"input_tokens": 10, "output_tokens": 2}
    assert call["duration_ns"] == str(2**60)
    assert call["cost"] == {"value": 5, "currency": "usd"}
    assert text["size"] == 4
    assert text["content"] == "text"
    assert binary["size"] == 1
    assert "content" not in binary
    assert events[-3]["kind"] == "fallback"
    assert events[-3]["action_id"] == "act_1"
    assert (events[-2]["store"], events[-2]["version"]) == ("plan", "v2")
    assert (events[-1]["path"], events[-1]["agent_id"]) == ("docs/c.md", "critic")
    assert peer.checks[0]["model"]["id"] == "m-1"
    assert peer.checks[0]["request"]["reasoning"] == "because"
