"""`calling`: what surrounds a call travels with it, masked and bounded."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from checkrein import calling, guard, run


@guard("tool")
def tool(a: int = 1) -> int:
    return a


PAST = {"tool": "search", "arguments": {"q": "9281"}, "outcome": "succeeded"}


def test_a_check_names_the_providers_call_and_the_parties(peer):
    """design.md 8: a provider's call id goes in `call_id`, never in the action's own id."""
    with calling("toolu_01", mcp_client="desk", mcp_server="stripe"):
        tool()
    tool()

    inside, outside = (check["action"] for check in peer.checks)
    assert inside["call_id"] == "toolu_01"
    assert inside["id"] != "toolu_01"
    assert inside["mcp"] == {"client": "desk", "server": "stripe"}
    assert not {"call_id", "mcp"} & outside.keys()


def test_what_is_inside_another_changes_only_what_it_says(peer):
    with calling("call_1", mcp_client="desk", history=[PAST]):
        with calling("call_2", mcp_server="stripe"):
            tool()
        tool()

    inner, outer = peer.checks
    assert inner["action"]["call_id"] == "call_2"
    assert inner["action"]["mcp"] == {"client": "desk", "server": "stripe"}
    assert inner["history"] == outer["history"] == [PAST]
    assert outer["action"]["call_id"] == "call_1"
    assert outer["action"]["mcp"] == {"client": "desk"}


def test_a_guard_knows_its_mcp_server_and_the_call_its_client(peer):
    @guard("stripe.refund", mcp={"server": "stripe"})
    def refund() -> None: ...

    refund()
    with calling(mcp_client="desk"):
        refund()

    assert [check["action"]["mcp"] for check in peer.checks] == [
        {"server": "stripe"},
        {"client": "desk", "server": "stripe"},
    ]


def test_an_odd_call_id_leaves_as_its_digest(peer):
    """An odd character is no way to an unchecked call."""
    with calling("call\u200b\n1"):
        tool()

    assert peer.checks[0]["action"]["call_id"].startswith("sha256:")


def test_history_is_masked_and_the_newest_of_it_is_kept(peer):
    """S0-9: nothing leaves unmasked; the body stays within the gate whatever is given."""
    mail = {"tool": "mail", "arguments": {"to": "ann@example.com"}, "outcome": "to ann@example.com"}
    with calling(history=[mail]):
        tool()
    big: list[dict[str, Any]] = [
        {"tool": f"t{n}", "arguments": {"text": "x" * 10_000, "n": [n] * 5000}} for n in range(400)
    ]
    with calling(history=big):
        tool()
    with calling(history=[{"tool": f"t{n}"} for n in range(300)]):
        tool()

    first, second, third = peer.checks
    assert "ann@" not in json.dumps(first)
    assert first["history"][0]["arguments"]["to"].startswith("[email:")
    assert second["history"][-1]["tool"] == "t399"
    assert 1 < len(second["history"]) < 256
    assert len(json.dumps(second["history"])) < 64 * 1024
    assert [past["tool"] for past in third["history"]] == [f"t{n}" for n in range(44, 300)]


def test_history_that_is_none_is_refused_where_it_is_given(peer):
    wrong: Any
    for wrong in ([{"arguments": {}}], ["search"], [{**PAST, "result": 1}]):
        with pytest.raises(TypeError, match="history has items"), calling(history=wrong):
            pass
    with (
        pytest.raises(TypeError, match="by name"),
        calling(history=[{"tool": "t", "arguments": 1}]),
    ):
        pass
    with pytest.raises(TypeError, match="client and a server"):
        guard("t", mcp={"sever": "stripe"})
    assert not peer.checks


def test_it_goes_along_in_a_run_and_beside_what_the_run_tells(peer):
    with run("r", user_request="refund") as r, calling("call_1", history=[PAST]):
        r.observe(context="a page")
        tool()

    check = peer.checks[0]
    assert check["run"]["id"] == r.id
    assert check["action"]["call_id"] == "call_1"
    assert check["history"] == [PAST]
    assert check["context"][0]["text"] == "a page"


async def test_tasks_have_their_own_and_threads_none(peer):
    @guard("atool")
    async def atool(n: int) -> int:
        return n

    async def one(n: int) -> None:
        with calling(f"call_{n}"):
            await asyncio.sleep(0)
            await atool(n)

    await asyncio.gather(*(one(n) for n in range(8)))
    seen = {c["action"]["arguments"]["n"]: c["action"]["call_id"] for c in peer.checks}
    assert seen == {n: f"call_{n}" for n in range(8)}

    with calling("call_x"):
        thread = threading.Thread(target=tool)
        thread.start()
        await asyncio.to_thread(thread.join)
    assert "call_id" not in peer.checks[-1]["action"]
