"""One recorded model step asked again: unchanged, otherwise, checked, priced, and recorded."""

from __future__ import annotations

import json as jsons
from typing import Any

import pytest

from tests.api.asking import check, new_name
from tests.api.live import json
from tests.reexecute.conftest import (
    ANTHROPIC_KEY,
    ASKED,
    OPENAI_KEY,
    again,
    chat_call,
    recorded,
    refused,
)
from tests.servers.models import Said

REFUND = Said("Done.", [("stripe_refund", {"amount": 4500, "customer": "cus_1"})], (210, 50))
WRONG = Said("Done.", [("stripe_refund", {"amount": 450000, "customer": "cus_1"})], (210, 50))
ESCALATED = Said("I ask a person.", [("escalate", {"to": "support"})], (210, 50))


def test_nothing_is_sent_before_it_is_confirmed(client, provider):
    """The request and its cost first: 200 tokens in at 2.50, at most 500 out at 10 a million."""
    run, seq = recorded(client, chat_call())

    told = again(client, run, seq, checks=[{"kind": "tool_called", "tool": "stripe.refund"}])

    assert provider.bodies == []
    assert told["request"] == {
        "model": "m-1",
        "messages": chat_call()["messages"],
        "tools": chat_call()["tools"],
        "temperature": 0,
        "max_tokens": 500,
    }
    assert told["estimate"] == {
        "input_tokens": 200,
        "input_basis": "recorded",
        "output_tokens": 500,
        "cost": {"amount": "0.0055", "currency": "USD"},
    }
    assert (told["now"], told["label"], told["recorded_as"]) == (None, None, None)
    assert told["capture"]["says"].startswith("Nothing was sent; ")
    assert told["unchanged"] is True
    [found] = told["checks"]
    assert (found["original"], found["now"]) == (True, None)
    original = told["original"]
    assert original["text"] == "I refund it."
    assert original["cost"] == {"amount": "0.0009", "currency": "USD"}
    assert original["duration_ms"] == 1500
    [proposed] = original["calls"]
    assert proposed["arguments"] == {"amount": 4500, "customer": "cus_1"}
    assert (proposed["judged_as"], proposed["verdict"]) == ("stripe.refund", "require_approval")


def test_a_step_is_asked_again_exactly_as_it_was(client, provider):
    """S0-12."""
    run, seq = recorded(client, chat_call())
    provider.answer(REFUND)

    told = again(client, run, seq, confirm=True)

    assert provider.paths == ["/v1/chat/completions"]
    assert provider.bodies == [told["request"]]
    assert provider.headers[0]["authorization"] == f"Bearer {OPENAI_KEY}"
    now = told["now"]
    assert now["calls"] == told["original"]["calls"]
    assert now["tokens"] == {"input_tokens": 210, "output_tokens": 50, "cached_tokens": 0}
    assert now["cost"] == {"amount": "0.001025", "currency": "USD"}
    assert now["model"] == "m-1-2026"
    assert now["duration_ms"] > 0
    assert told["label"] is None


def test_another_model_prompt_and_parameters(client, provider):
    """S0-13."""
    run, seq = recorded(client, chat_call())
    provider.answer(REFUND)

    told = again(
        client,
        run,
        seq,
        confirm=True,
        model="m-2",
        system="Always ask a person first.",
        parameters={"temperature": None, "top_p": 0.5},
    )

    [sent] = provider.bodies
    assert (sent["model"], sent["top_p"], sent["max_tokens"]) == ("m-2", 0.5, 500)
    assert "temperature" not in sent
    assert sent["messages"][0] == {"role": "system", "content": "Always ask a person first."}
    assert sent["messages"][1:] == chat_call()["messages"][1:]
    assert told["unchanged"] is False
    assert told["estimate"]["input_basis"] == "length"
    assert told["now"]["cost"]["amount"] == "0.01025"


@pytest.mark.parametrize(
    ("said", "label", "held"),
    [
        (REFUND, "pass", [True] * 7),
        (WRONG, "regression", [True, True, False, False, True, True, True]),
        (ESCALATED, "regression", [False, True, False, False, False, False, True]),
    ],
    ids=["same", "amount", "escalated"],
)
def test_checks_label_the_answer(client, provider, said, label, held):
    """S0-14: escalate against a refund."""
    run, seq = recorded(client, chat_call())
    schema = {"properties": {"amount": {"maximum": 10_000}}, "required": ["amount"]}
    checks: list[dict[str, Any]] = [
        {"kind": "tool_called", "tool": "stripe.refund"},
        {"kind": "tool_not_called", "tool": "stripe.charge"},
        {
            "kind": "argument_equals",
            "tool": "stripe.refund",
            "pointer": "/amount",
            "value": 4500.0,
        },
        {"kind": "arguments_match", "tool": "stripe.refund", "schema": schema},
        {"kind": "text_contains", "text": "Done"},
        {"kind": "text_matches", "pattern": "(?i)^done"},
        {"kind": "verdict", "one_of": ["allow", "require_approval"]},
    ]
    provider.answer(said)

    told = again(client, run, seq, confirm=True, checks=checks)

    assert told["label"] == label
    said_of = f"The model was asked again, labelled {label} by the checks, and no tool ran; "
    assert told["capture"]["says"].startswith(said_of)
    assert "what the network answered" in told["capture"]["unseen"]
    assert [each["now"] for each in told["checks"]] == held
    assert all(each["why"] for each in told["checks"] if not each["now"])
    # The recorded answer says something else, and is measured by the same checks.
    assert [each["original"] for each in told["checks"]] == [*[True] * 4, False, False, True]


def test_the_verdict_is_the_policys_on_the_call_that_is_proposed_now(client, live, provider):
    """Judged in the run's own world, and nothing enforced: no decision, no approval appears."""
    run = new_name()
    events = {"run": {"id": run}, "events": [chat_call()]}
    seq = json(client.post("/v1/events", json=events))["first_seq"] + 0
    frames = json(client.get(f"/v1/runs/{run}/frames"))["frames"]
    seq = next(frame["seq"] for frame in frames if frame["type"] == "model_call")
    check(client, "stripe.refund", arguments={"amount": 10, "customer": "c"}, run={"id": run})
    before = len(json(client.get(f"/v1/runs/{run}/frames"))["frames"])
    calls = [("files_delete", {"path": "/"}), ("shell_run", {}), ("files_read", {"path": "a"})]
    provider.answer(Said("", calls))

    wanted = {"kind": "verdict", "one_of": ["allow"]}
    told = again(client, run, seq, confirm=True, checks=[wanted, {**wanted, "tool": "files.read"}])

    judged = {call["judged_as"]: call["verdict"] for call in told["now"]["calls"]}
    assert judged == {"files.delete": "block", "shell.run": "halt", "files.read": "allow"}
    assert [each["now"] for each in told["checks"]] == [False, True]
    assert told["checks"][0]["why"].startswith("files_delete: block")
    assert len(json(client.get(f"/v1/runs/{run}/frames"))["frames"]) == before
    assert json(client.get(f"/v1/runs/{run}"))["status"] == "running"


FORMS: list[tuple[str, str, dict[str, Any], Any]] = [
    (
        "responses",
        "/v1/responses",
        {"system": "Be good.", "parameters": {"store": True, "max_output_tokens": 9}},
        [
            {"type": "message", "content": [{"type": "output_text", "text": "I refund it."}]},
            {
                "type": "function_call",
                "call_id": "c",
                "name": "stripe_refund",
                "arguments": '{"amount":4500,"customer":"cus_1"}',
            },
        ],
    ),
    (
        "messages",
        "/v1/messages",
        {"system": "Be good.", "parameters": {"max_tokens": 9}, "provider": "anthropic"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I refund it."},
                {
                    "type": "tool_use",
                    "id": "t",
                    "name": "stripe_refund",
                    "input": {"amount": 4500, "customer": "cus_1"},
                },
            ],
        },
    ),
]


@pytest.mark.parametrize(("api", "path", "given", "answer"), FORMS, ids=["responses", "messages"])
def test_the_other_protocols(client, provider, api, path, given, answer):
    messages = [{"role": "user", "content": ASKED}]
    step = chat_call(api=api, messages=messages, tools=[], answer=answer, **given)
    run, seq = recorded(client, step)
    provider.answer(REFUND)

    wanted = {"kind": "argument_equals", "tool": "stripe.refund", "pointer": "/amount"}
    told = again(client, run, seq, confirm=True, checks=[{**wanted, "value": 4500}])

    [sent] = provider.bodies
    assert provider.paths == [path]
    assert (sent.get("instructions") or sent.get("system")) == "Be good."
    assert (sent.get("input") or sent.get("messages")) == messages
    assert sent.get("store") is (False if api == "responses" else None)
    assert told["label"] == "pass"
    assert told["checks"][0]["original"] is True
    assert (told["original"]["text"], told["now"]["text"]) == ("I refund it.", "Done.")
    if api == "messages":
        assert provider.headers[0]["x-api-key"] == ANTHROPIC_KEY
        assert "authorization" not in provider.headers[0]


def test_what_an_earlier_call_was_given_is_put_together_again(client, provider):
    """S0-7: a call carries what is new, and names what it continues."""
    first = chat_call()
    more = [{"role": "assistant", "content": "Which?"}, {"role": "user", "content": "That one."}]
    second = chat_call(
        messages=more, tools=[], continues={"key": first["key"], "messages": 2, "tools": True}
    )
    last = [{"role": "user", "content": "Now."}]
    third = chat_call(
        messages=last, tools=[], continues={"key": second["key"], "messages": 3, "tools": True}
    )
    # The second one was told in the background, and overtaken.
    run, seq = recorded(client, first, third, second)
    seq -= 1

    told = again(client, run, seq)

    assert told["request"]["messages"] == [*first["messages"], *more[:1], *last]
    assert told["request"]["tools"] == first["tools"]
    shown = json(client.get(f"/v1/runs/{run}/steps/{seq}/model-call"))
    assert shown["messages"] == told["request"]["messages"]
    assert (shown["tools"], shown["answer"]) == (first["tools"], third["answer"])
    assert shown["evidence"]["continues"]["key"] == second["key"]
    absent = [client.get(f"/v1/runs/{run}/steps/{n}/model-call") for n in (1, 99)]
    assert [json(each)["code"] for each in absent] == ["not_a_model_call", "step_not_found"]


def test_tools_of_the_provider_and_what_it_would_keep_are_left_out(client, provider):
    """Tools never run, its own neither; nothing is stored or continued there."""
    step = chat_call(
        api="responses",
        tools=[
            {"type": "web_search"},
            {"type": "mcp", "server_url": "https://x"},
            {"type": "function", "name": "f"},
        ],
        parameters={"background": True, "stream": True, "web_search_options": {}},
    )
    run, seq = recorded(client, step)

    told = again(client, run, seq, parameters={"store": True})

    assert told["request"]["tools"] == [{"type": "function", "name": "f"}]
    assert told["request"].keys() == {"model", "input", "tools", "store"}
    assert told["request"]["store"] is False
    assert "2 tools that the provider runs itself are left out" in told["notes"]


def test_what_was_masked_or_cut_is_said(client, provider):
    talk = [{"role": "user", "content": "Write to [email:3f9a2c41d0@x.com] …[cut: 99 more]"}]
    run, seq = recorded(client, chat_call(messages=talk, status="abandoned"))

    notes = " ".join(again(client, run, seq)["notes"])

    assert "masked" in notes
    assert "cut" in notes
    assert "abandoned" in notes


def test_it_is_recorded_as_a_run_below_the_one_it_repeats(client, provider):
    """Recorded before it is sent, its real cost after; the repeated run stays what it was."""
    run, seq = recorded(client, chat_call())
    before = json(client.get(f"/v1/runs/{run}/frames"))
    provider.answer(WRONG)

    told = again(
        client,
        run,
        seq,
        confirm=True,
        checks=[{"kind": "text_contains", "text": "person"}],
    )

    assert json(client.get(f"/v1/runs/{run}/frames")) == before
    child = told["recorded_as"]
    frames = json(client.get(f"/v1/runs/{child}/frames"))["frames"]
    assert [frame["type"] for frame in frames] == [
        *("run_started", "message", "model_call", "verification", "run_ended")
    ]
    assert frames[0]["body"]["parent_run_id"] == told["run_id"]
    assert "about 0.0055 USD" in frames[1]["content"]["observation"]["text"]
    asked = frames[2]["body"]
    assert asked["cost"] == {"value": 0, "currency": "USD"}
    assert asked["usage"]["input_tokens"] == 210
    assert frames[2]["parent_id"] == next(
        frame["id"] for frame in before["frames"] if frame["type"] == "model_call"
    )
    assert frames[3]["body"]["status"] == "failed"
    ended = frames[4]["content"]["observation"]["output"]
    assert (ended["label"], ended["cost"]) == ("regression", "0.001025 USD")


def test_steps_that_cannot_be_asked_again(client, provider):
    lost = chat_call(continues={"key": "mdl_gone", "messages": 1})
    short = chat_call(continues={"key": "k", "messages": 9})
    held = chat_call(parameters={"previous_response_id": "resp_1"})
    run, seq = recorded(client, chat_call(key="k"), lost, short, held)

    codes = [refused(client, run, seq - n)["code"] for n in (2, 1, 0)]
    assert codes == ["model_call_incomplete"] * 3
    assert refused(client, run, 1)["code"] == "not_a_model_call"
    assert refused(client, run, 99)["code"] == "step_not_found"
    assert refused(client, run, "last")["code"] == "step_not_found"
    assert refused(client, new_name(), 1)["code"] == "run_not_found"
    wrong = refused(client, run, seq - 3, endpoint="anthropic")
    assert wrong["code"] == "re_execution_off"
    assert provider.bodies == []


def test_who_may_spend(live, client, provider):
    """Both scopes, and no agent's own key; another project sees nothing at all."""
    run, seq = recorded(client, chat_call())
    codes = {}
    for key in ("read", "check", "bound", "other"):
        with live.client(key) as other:
            codes[key] = refused(other, run, seq, confirm=True)["code"]

    assert codes == {
        "read": "forbidden",
        "check": "forbidden",
        "bound": "forbidden",
        "other": "run_not_found",
    }
    assert provider.bodies == []


def test_the_request_has_no_say_in_where_it_goes(client, provider):
    """No address, header or key of the body or of the record is used."""
    sneaky = {"base_url": "http://169.254.169.254", "api_key": "x", "extra_headers": {"a": "b"}}
    run, seq = recorded(client, chat_call(parameters=sneaky))
    provider.answer(REFUND)

    assert refused(client, run, seq, confirm=True, url="http://x")["code"] == "unknown_field"
    assert refused(client, run, seq, endpoint="http://x")["code"] == "value_out_of_range"
    again(client, run, seq, confirm=True)

    assert len(provider.bodies) == 1
    assert provider.headers[0]["authorization"] == f"Bearer {OPENAI_KEY}"


def test_an_unchanged_step_is_the_same_bytes_each_time(client, provider):
    run, seq = recorded(client, chat_call())
    provider.answer(REFUND, REFUND)

    for _ in range(2):
        again(client, run, seq, confirm=True)

    assert provider.raw[0] == provider.raw[1]
    assert jsons.loads(provider.raw[0])["messages"] == chat_call()["messages"]
