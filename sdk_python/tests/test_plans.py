"""Requests and plans said for the code around, and each call compared with its own step."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from types import SimpleNamespace
from typing import Any

import checkrein
import pytest
from checkrein import ApprovalRequired, Blocked, calling, guard, plan, request, run


@guard("stripe.refund")
def refund(customer: str, amount: int = 1) -> str:
    return customer


@guard("mail.send")
def send(to: str) -> None: ...


def sent(peer: Any, n: int = -1) -> dict[str, Any]:
    found: dict[str, Any] = peer.checks[n].get("request", {})
    return found


def chat(name: str, arguments: Any, id_: str = "call_1") -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": text}}


def made(given: Any) -> Any:
    """The same as a client library's objects: attributes, no keys; a tool's input stays a dict."""
    if isinstance(given, list):
        return [made(one) for one in given]
    if isinstance(given, dict):
        return SimpleNamespace(
            **{key: one if key == "input" else made(one) for key, one in given.items()}
        )
    return given


CALL = {"customer": "cus_1", "amount": 45}
WANTED = {"tool": "stripe.refund", "arguments": CALL}
TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "stripe_refund", "input": CALL}
FUNCTION = {"type": "function_call", "name": "stripe_refund", "arguments": json.dumps(CALL)}
ANSWER = {"type": "message", "content": [{"type": "output_text", "text": "Refunding."}]}
SHAPES: dict[str, Any] = {
    "chat call": chat("stripe_refund", CALL),
    "chat calls": [chat("stripe_refund", CALL)],
    "chat message": {"role": "assistant", "content": None, "tool_calls": [chat("refund", CALL)]},
    "chat answer": {
        "id": "chatcmpl-1",
        "choices": [{"index": 0, "message": {"tool_calls": [chat("stripe-refund", CALL)]}}],
    },
    "responses item": FUNCTION,
    "responses items": [{"type": "reasoning", "summary": []}, FUNCTION],
    "responses answer": {"id": "resp_1", "output": [FUNCTION], "tool_choice": "auto"},
    "anthropic block": TOOL_USE,
    "anthropic answer": {"role": "assistant", "content": [{"type": "thinking"}, TOOL_USE]},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("as_objects", [False, True])
def test_a_models_answer_is_a_plan(peer, shape, as_objects):
    """As dictionaries and as the libraries' objects; names are matched without their dots."""
    given = SHAPES[shape]
    with run("r"):
        plan(made(given) if as_objects else given)
        refund("cus_1", 46)

    assert sent(peer) == {"plan": WANTED}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"content": [{"type": "text", "text": "I refund it."}, TOOL_USE]}, "I refund it."),
        ({"content": "I refund it.", "tool_calls": [chat("refund", CALL)]}, "I refund it."),
        ({"output": [ANSWER, FUNCTION]}, "Refunding."),
    ],
)
def test_what_the_model_said_beside_its_calls_is_the_plans_text(peer, given, text):
    with run("r"):
        plan(given)
        refund("cus_1")

    assert sent(peer) == {"plan": {**WANTED, "text": text}}


def test_text_and_own_form_are_plans_too(peer):
    plan("Refund it.")
    refund("cus_1")
    with plan({"text": "So.", "arguments": '{"amount": 45}'}):
        refund("cus_1")
    with plan([{"tool": "stripe.refund", "arguments": CALL}]), request("refund it"):
        refund("cus_1")
    with plan(None):
        refund("cus_1")

    assert [check.get("request") for check in peer.checks] == [
        {"plan": {"text": "Refund it."}},
        {"plan": {"text": "So.", "arguments": {"amount": 45}}},
        {"user": "refund it", "plan": WANTED},
        None,
    ]
    plan(None)


def test_calls_of_one_step_are_matched_by_name_and_in_order(peer):
    steps = [
        chat("stripe_refund", {"customer": "cus_1"}, "a"),
        chat("mail_send", {"to": "x"}, "b"),
        chat("stripe_refund", {"customer": "cus_2"}, "c"),
    ]
    with run("r"):
        plan(steps)
        send("y")
        refund("cus_7")
        refund("cus_8")
        refund("cus_9")

    told = [sent(peer, n)["plan"] for n in range(4)]
    assert [one["tool"] for one in told] == ["mail.send", *["stripe.refund"] * 3]
    assert [one["arguments"] for one in told] == [
        {"to": "x"},
        {"customer": "cus_1"},
        {"customer": "cus_2"},
        {"customer": "cus_2"},
    ]


def test_a_call_that_is_planned_exactly_finds_its_step_in_any_order(peer):
    """Agents run the calls of one step side by side."""
    with run("r"):
        plan([chat("refund", {"customer": f"cus_{n}"}) for n in range(8)])
        threads = []
        for n in reversed(range(8)):
            context = contextvars.copy_context()
            threads.append(threading.Thread(target=context.run, args=(refund, f"cus_{n}")))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for check in peer.checks:
        assert (
            check["request"]["plan"]["arguments"]["customer"]
            == check["action"]["arguments"]["customer"]
        )
    assert len(peer.checks) == 8


def test_the_providers_id_decides_which_step_it_is(peer):
    with run("r"):
        plan([chat("refund", {"customer": "cus_1"}, "a"), chat("refund", CALL, "b")])
        with calling("b"):
            refund("cus_9")

    assert sent(peer)["plan"]["arguments"] == CALL


def test_a_stopped_call_meets_its_step_again(peer):
    """So does the one that waited for a person."""
    peer.answer(
        peer.decision("block"),
        peer.decision("require_approval", approval={"id": "apr_1"}),
    )
    peer.statuses.append("approved")
    with run("r"):
        plan([chat("refund", {"customer": "cus_1"}), chat("refund", {"customer": "cus_2"})])
        with pytest.raises(Blocked):
            refund("cus_9")
        with pytest.raises(ApprovalRequired) as pending:
            refund("cus_8")
        pending.value.wait(5, poll=0.01)
        refund("cus_8")
        refund("cus_8")

    planned = [sent(peer, n)["plan"]["arguments"]["customer"] for n in range(4)]
    assert planned == ["cus_1", "cus_1", "cus_1", "cus_2"]


def test_a_failed_call_may_be_made_again(peer):
    tries = iter([RuntimeError("no route"), None])

    @guard("flaky")
    def flaky(a: int) -> None:
        if (error := next(tries)) is not None:
            raise error

    with run("r"):
        plan([chat("flaky", {"a": 1}), chat("flaky", {"a": 2})])
        with pytest.raises(RuntimeError):
            flaky(1)
        flaky(1)

    assert [sent(peer, n)["plan"]["arguments"] for n in range(2)] == [{"a": 1}, {"a": 1}]


def test_a_tool_that_was_not_planned_is_shown_the_plan(peer):
    """That another tool was planned is what rules and the Intent Guard are to see."""
    with run("r"):
        plan([chat("refund", {"customer": "cus_1"})])
        send("x")
        refund("cus_1")
        send("x")

    assert [sent(peer, n)["plan"]["tool"] for n in range(3)] == [
        *("refund", "stripe.refund", "refund")
    ]


def test_what_a_planned_body_calls_is_no_other_tool(peer):
    @guard("outer")
    def outer() -> None:
        send("x")

    with run("r"):
        plan({"content": "Go.", "tool_calls": [chat("outer", {})]})
        outer()

    assert sent(peer, 0)["plan"] == {"text": "Go.", "tool": "outer", "arguments": {}}
    assert sent(peer, 1)["plan"] == {"text": "Go."}


BROKEN = ["{", '{"a": NaN}', "[1]", '"x"', "[" * 100_000, '{"a": "\ud800"}', "\x00", "{} trailing"]


@pytest.mark.parametrize("arguments", BROKEN)
def test_arguments_that_are_no_object_are_text_and_raise_nothing(peer, arguments):
    with run("r"):
        plan([chat("refund", arguments)])
        assert refund("cus_1") == "cus_1"

    told = sent(peer)["plan"]
    assert told["tool"] == "stripe.refund"
    assert "arguments" not in told
    assert told["text"]


def test_that_is_said_once_without_the_arguments(peer, caplog):
    with run("r"):
        for _ in range(3):
            plan([chat("refund", "{secret")])

    assert caplog.text.count("taken as text") <= 1
    assert "secret" not in caplog.text


def test_whatever_is_given_as_a_plan_the_call_is_checked(peer):
    class Hostile:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    circle: list[Any] = []
    circle.append(circle)
    strange: list[Any] = [
        *(Hostile(), circle, object(), 7, b"x", {}, [], {"tool": 5}, {"arguments": []}, [None]),
        *({"tool_calls": "x"}, {"function": {"name": ""}}, {"choices": [[]]}, {"type": []}),
        {"tool_calls": [chat("refund", {"customer": "x" * 400_000, "amount": 2})]},
        [chat("refund", {"customer": str(n)}) for n in range(5000)],
        [{"type": "tool_use", "name": "t" * 10_000 + "\u202e", "input": {"a" * 9000: 1}}],
    ]
    with run("r"):
        for given in strange:
            plan(given)
            assert refund("cus_1") == "cus_1"

    assert len(peer.checks) == len(strange)
    assert max(map(len, peer.bodies)) < 256 * 1024
    too_long = peer.checks[14]["request"]["plan"]
    assert too_long["arguments"] == {"amount": 2}  # what is compared is whole, or left out


def test_a_plan_tells_no_secret_that_its_call_does_not(peer):
    @guard("pay", redact=["card"])
    def pay(card: str, note: str = "") -> None: ...

    given = {"card": "my card", "note": "to ann@example.com"}
    with run("r"):
        for one in (chat("pay", given), {"arguments": given}, chat("pay", "{my card")):
            plan([one])
            pay(**given)
        plan([chat("pay", given)])
        plan([chat("pay", "{my card")])
    assert checkrein.flush(5)

    assert not any(b"my card" in body or b"ann@" in body for body in peer.bodies)
    for check in peer.checks[:2]:
        assert check["request"]["plan"]["arguments"] == check["action"]["arguments"]


def test_a_run_takes_both_from_its_words_and_from_around(peer):
    with request("around"), plan("around"):
        with run("own", request="own", plan=[chat("refund", CALL)]):
            refund("cus_1")
            with request("inside"):
                refund("cus_1")
            with run("child"):
                refund("cus_1")
        with run("none"):
            refund("cus_1")
            request("left behind")
        refund("cus_1")
        with run("after"):
            refund("cus_1")
    with run("nothing"):
        refund("cus_1")

    asked = [check.get("request", {}).get("user") for check in peer.checks]
    assert asked == ["own", "inside", "around", "around", "around", "around", None]
    assert sent(peer, 0)["plan"] == WANTED
    assert sent(peer, 3)["plan"] == {"text": "around"}


async def test_tasks_have_their_own_and_share_what_was_said_before(peer):
    @guard("aio.tool")
    async def tool(n: int) -> None:
        await asyncio.sleep(0)

    async def one(n: int) -> None:
        plan([chat("aio_tool", {"n": n})])
        await asyncio.sleep(0.001 * (n % 3))
        await tool(n)
        await asyncio.to_thread(refund, f"cus_{n}")

    async with run("r"):
        request("do all of it")
        await asyncio.gather(*(one(n) for n in range(12)))
        assert "plan" not in sent(peer) or len(peer.checks) == 24
        await tool(99)

    for check in peer.checks[:-1]:
        arguments = check["action"]["arguments"]
        n = arguments["n"] if "n" in arguments else int(arguments["customer"][4:])
        assert check["request"]["user"] == "do all of it"
        assert check["request"]["plan"]["arguments"] == {"n": n}
    assert sent(peer) == {"user": "do all of it"}


def test_what_no_check_carried_is_told_as_events(peer):
    with run("r"):
        request("one")
        plan([chat("refund", CALL), chat("mail_send", {"to": "x"})])
        refund("cus_1")
        request("two")
        plan("nothing more")
    assert checkrein.flush(5)

    told = [event for event in peer.events if event["type"] in {"request", "plan"}]
    assert [{k: e[k] for k in e if k in {"type", "text", "tool", "arguments"}} for e in told] == [
        {"type": "plan", "tool": "mail_send", "arguments": {"to": "x"}},
        {"type": "request", "text": "two"},
        {"type": "plan", "text": "nothing more"},
    ]
