"""The README's examples run as they stand, and tell the gateway what they claim to."""

from __future__ import annotations

import contextvars
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import checkrein

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def block(word: str) -> str:
    [found] = [one for one in BLOCKS if word in one]
    return str(found)


def run_it(text: str, given: dict[str, Any]) -> None:
    """In a context of its own: what an example says must not hold for other tests."""
    contextvars.copy_context().run(exec, text, given)


def names() -> dict[str, Any]:
    """What the examples take from the agent around them."""
    block_ = SimpleNamespace(type="tool_use", id="toolu_1", name="refund", input={"amount": 4500})
    answer = SimpleNamespace(role="assistant", content=[block_])
    made: dict[str, Any] = {
        "model": SimpleNamespace(messages=SimpleNamespace(create=lambda *_: answer)),
        "index": SimpleNamespace(search=lambda _: ["Refunds take a day."]),
    }
    exec(BLOCKS[0], made)
    return made


def test_a_run_with_a_models_answer_as_its_plan(peer):
    run_it(block("model.messages.create"), names())

    assert peer.checks[0]["request"] == {
        "user": "refund order 9281: 45 USD",
        "plan": {"tool": "stripe.refund", "arguments": {"amount": 4500}},
    }


def test_evidence(peer):
    given = names()
    given["get_order"] = given["fetch"] = None
    text = block("checkrein.retrieved").replace("-> str: ...", "-> str:\n    return 'found'")
    run_it(text, given)

    check = peer.checks[-1]
    assert check["request"]["user"] == "refund order 9281: 45 USD"
    assert check["request"]["plan"]["arguments"] == {"amount": 4500}
    told = {
        item["source"]: item["trusted"]
        for one in peer.checks
        for item in one.get("context", [])
        if "text" in item
    }
    assert told == {"handbook": True, "orders.get": True, "web.fetch": False}


def test_a_wrapped_client(peer):
    """The example's client is a stand-in here; the real libraries are in tests/clients."""
    sent = {"messages": [{"role": "user", "content": "refund it"}], "model": "gpt-5"}

    def post(path: str, **options: Any) -> Any:
        return {"choices": [{"message": {"role": "assistant", "content": "Done."}}]}

    def create(**given: Any) -> Any:
        return completions._post("/chat/completions", body=given)

    completions = SimpleNamespace(_post=post, create=create)
    chat = SimpleNamespace(chat=SimpleNamespace(completions=completions))
    given = {"checkrein": checkrein, "OpenAI": lambda: chat, "tools": [], **sent}
    run_it(block("wrap_openai"), given)
    assert checkrein.flush(5)

    [call] = [event for event in peer.events if event["type"] == "model_call"]
    assert call["messages"] == sent["messages"]
    assert call["answer"]["content"] == "Done."
