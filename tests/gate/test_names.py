"""Names and ids are compared by rules and read by people: two that look alike are equal."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.checking import gate
from gateway.checking.names import canonical_name, check_observed_names
from gateway.domain.observations import Observation
from gateway.errors import BadRequest

BAD: dict[str, str] = {
    "an escape": "\x1b[2J",
    "a null": "stripe\x00refund",
    "a line end": "stripe\nrefund",
    "a delete": "stripe\x7frefund",
    "a C1 control": "stripe\x85refund",
    "right-to-left override": "stripe\u202edrahc",
    "right-to-left isolate": "stripe\u2067x",
    "right-to-left mark": "stripe\u200fx",
    "a zero-width space": "stripe\u200b.refund",
    "a zero-width joiner": "stripe\u200d.refund",
    "a soft hyphen": "str\u00adipe",
    "a byte order mark": "\ufeffstripe",
    "a tag character": "stripe\U000e0041",
    "a line separator": "stripe\u2028refund",
    "a space before": " stripe",
    "a space after": "stripe ",
    "a no-break space after": "stripe\u00a0",
    "a decomposed letter": "cafe\u0301",
    "an Angstrom sign": "\u212b",
}


@pytest.mark.parametrize("name", [pytest.param(name, id=what) for what, name in BAD.items()])
def test_a_name_that_could_pass_for_another_is_refused(name: str):
    """S9: never repaired, since what is stored is what was sent."""
    with pytest.raises(BadRequest) as caught:
        canonical_name(name, "/action/tool")

    assert (caught.value.code, caught.value.pointer) == ("bad_name", "/action/tool")


@pytest.mark.parametrize(
    "name", ["stripe.refund", "a b", "files/read", "café", "支払い", "دفع", "💳", "x" * 256]
)
def test_an_ordinary_name_is_accepted_as_it_is(name: str):
    assert canonical_name(name) == name


@given(st.text(min_size=1, max_size=8), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_two_accepted_names_that_are_canonically_equal_are_the_same(name: str, form: Any):
    other = unicodedata.normalize(form, name)
    assume(unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other))
    accepted = []
    for candidate in (name, other):
        try:
            accepted.append(canonical_name(candidate))
        except BadRequest:
            continue

    assert len(set(accepted)) <= 1


def with_name(pointer: str, name: str) -> bytes:
    """A check that has a name of each kind, the one at `pointer` replaced."""
    check: dict[str, Any] = {
        "action": {
            "tool": "t",
            "id": "i",
            "attempt": "i",
            "call_id": "i",
            "parent_id": "i",
            "amount": {"value": 1, "currency": "USD"},
            "mcp": {"client": "c", "server": "s"},
        },
        "run": dict.fromkeys(("id", "agent_id", "turn_id", "parent_run_id", "user_id"), "i"),
        "request": {"plan": {"tool": "t"}},
        "context": [{"id": "i", "text": ""}, {"ref": "i"}],
        "history": [{"tool": "t"}],
        "tools_available": ["t", {"name": "t"}],
        "events": [
            {"type": "plan", "tool": "t", "turn_id": "i", "action_id": "i", "parent_id": "i"},
            {"type": "gap", "tool": "t", "reason": "r"},
            {"type": "context", "id": "i", "text": ""},
            {"type": "handoff", "to_agent": "a", "child_run_id": "i"},
            {"type": "feedback", "label": "l", "decision_id": "i"},
        ],
        "approval_id": "i",
    }
    *steps, last = pointer[1:].split("/")
    place: Any = check
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = name
    return json.dumps(check).encode()


@pytest.mark.parametrize(
    "pointer",
    [
        "/action/tool",
        "/action/id",
        "/action/attempt",
        "/action/call_id",
        "/action/parent_id",
        "/action/amount/currency",
        "/action/mcp/client",
        "/action/mcp/server",
        "/run/id",
        "/run/agent_id",
        "/run/turn_id",
        "/run/parent_run_id",
        "/run/user_id",
        "/request/plan/tool",
        "/context/0/id",
        "/context/1/ref",
        "/history/0/tool",
        "/tools_available/0",
        "/tools_available/1/name",
        "/events/0/tool",
        "/events/0/turn_id",
        "/events/0/action_id",
        "/events/0/parent_id",
        "/events/1/tool",
        "/events/2/id",
        "/events/3/to_agent",
        "/events/3/child_run_id",
        "/events/4/decision_id",
        "/approval_id",
    ],
)
def test_every_tool_name_and_id_of_a_check_is_looked_at(pointer: str):
    gate.decode_check(with_name(pointer, "fine"))

    with pytest.raises(BadRequest) as caught:
        gate.decode_check(with_name(pointer, "stripe\u202edrahc"))

    assert (caught.value.code, caught.value.pointer) == ("bad_name", pointer)


def test_observations_that_come_alone_are_looked_at_in_the_same_way():
    seen = msgspec.convert([{"type": "gap", "tool": "a\x1bb", "reason": "r"}], list[Observation])

    with pytest.raises(BadRequest) as caught:
        check_observed_names(seen, "/observations")

    assert caught.value.pointer == "/observations/0/tool"
