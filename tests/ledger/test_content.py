"""Content parts: cut up so that repeats are stored once, joined again to the byte."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import canonical, content
from gateway.domain import frame as frames
from gateway.domain.joining import Joining
from tests import make

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.text(max_size=8), JSON, max_size=6)
TEXT = st.text(max_size=30)
REQUEST = st.fixed_dictionaries(
    {},
    optional={
        "user": TEXT,
        "reasoning": TEXT,
        "plan": st.fixed_dictionaries({}, optional={"text": TEXT, "arguments": OBJECT}),
    },
)
CONTEXT = st.lists(
    st.fixed_dictionaries({"text": TEXT}, optional={"source": TEXT, "trusted": st.booleans()}),
    max_size=6,
)
HISTORY = st.lists(st.fixed_dictionaries({"tool": st.text(min_size=1, max_size=5)}), max_size=4)


def frame_bytes(arguments: dict[str, Any], **more: Any) -> bytes:
    return frames.encode(make.frame(make.ruleset(), make.check(arguments=arguments, **more)))


@given(st.lists(st.tuples(OBJECT, REQUEST, CONTEXT), min_size=2, max_size=4))
def test_what_was_cut_before_is_cut_in_the_same_way_again(frames_of_a_batch):
    """A worker remembers cuts for the length of a batch, and nothing must show of that."""
    before: content.Cuts = {}
    for arguments, request, context in [*frames_of_a_batch, *frames_of_a_batch]:
        parts = {"frame": frame_bytes(arguments, request=request, context=context)}

        assert content.split(parts, before) == content.split(parts)


@given(OBJECT, REQUEST, CONTEXT, HISTORY, OBJECT, OBJECT)
def test_a_frame_is_joined_to_the_byte(arguments, request, context, history, state, schema):
    """R1: re-judgement reads the very bytes that were judged."""
    frame = frame_bytes(
        arguments,
        request=request,
        context=context,
        history=history,
        external_state=state,
        action={"schema": schema, "description": "Refund"},
    )
    parts = {"frame": frame, "rounds": b"[]", "decision": b"{}"}

    assert content.join(content.split(parts)) == parts


def test_what_signals_repeat_is_a_part_of_its_own():
    """S11: it repeats what agents and people wrote; the score beside it does not."""
    signals = [{"field": "/action/arguments/to", "observed": "dario", "expected": "dana"}]
    assessment = {"score": 0.97, "signals": signals, "version": "v"}
    frame = frames.encode(make.frame(make.ruleset(), assessment=assessment))

    parts = content.split({"frame": frame})

    assert msgspec.json.decode(parts["frame/assessment/signals"]) == signals
    left = msgspec.json.decode(parts["frame"])["assessment"]
    assert left == {**assessment, "signals": None}
    assert content.join(parts) == {"frame": frame}


@given(
    st.dictionaries(
        st.sampled_from(["frame", "observation", "output", "error"]),
        st.binary(max_size=40)
        | JSON.map(msgspec.json.encode)
        | JSON.map(canonical.encode).map(lambda data: b" " + data)
        | OBJECT.map(
            lambda value: canonical.encode({"action": {"arguments": value}, "context": value})
        )
        | OBJECT.map(lambda value: canonical.encode({"messages": [value, value], "text": value})),
    )
)
def test_whatever_the_parts_hold_they_are_joined_to_the_byte(parts):
    assert content.join(content.split(parts)) == parts


@pytest.mark.parametrize(
    "data",
    [
        b'{"action":{"arguments":{"a":1,"a":2}}}',
        b'{"action":{"arguments":{"\\u0061":1}}}',
        b'{"context":[{"text":"a" }]}',
        b'{"context":[{"text":"\xff"}]}',
        b'{"action":{"arguments":' + b"[" * 100_000,
        b'{"request":null,"context":{},"action":[]}',
        b"",
    ],
)
def test_content_in_another_form_stays_whole(data):
    assert content.join(content.split({"frame": data})) == {"frame": data}


def test_the_parts_are_named_by_their_place_and_each_is_json():
    frame = frame_bytes(
        {"amount": 450000, "betrag": 1},
        request={"user": "charge", "plan": {"text": "p", "arguments": {"is_refund": False}}},
        context=[{"text": "one"}, {"text": "two"}],
        external_state={"balance": 3},
    )

    parts = content.split({"frame": frame})

    cut = {name: msgspec.json.decode(data) for name, data in parts.items() if name != "frame"}
    assert cut == {
        "frame/action/arguments/0": {"amount": 450000},
        "frame/action/arguments/1": {"betrag": 1},
        "frame/context/0/text": "one",
        "frame/context/1/text": "two",
        "frame/external_state/0": {"balance": 3},
        "frame/request/plan/arguments/0": {"is_refund": False},
        "frame/request/plan/text": "p",
        "frame/request/user": "charge",
    }
    assert all(name.isascii() for name in parts)


def test_messages_and_tools_of_a_model_call_are_parts_of_their_own():
    call = {"messages": [{"role": "user", "content": "hi"}, "x"], "tools": ["t"], "answer": 1}

    parts = content.split({"observation": canonical.encode(call)})

    assert parts == {
        "observation": b'{"answer":1,"messages":[],"tools":[]}',
        "observation/messages/0": b'[{"content":"hi","role":"user"}]',
        "observation/messages/1": b'["x"]',
        "observation/tools/0": b'["t"]',
    }


def test_a_text_seen_as_an_observation_is_the_same_part_in_a_frame():
    observed = content.split({"observation": canonical.encode({"text": "a page"})})
    framed = content.split({"frame": frame_bytes({}, context=[{"text": "a page"}])})

    assert observed["observation/text"] == framed["frame/context/0/text"]


@pytest.mark.parametrize("count", [127, 128, 129, 1000, 20_000])
def test_the_number_of_parts_is_bounded_whatever_is_sent(count):
    """D5: the worker's work for one event does not grow with the number of its arguments."""
    frame = frame_bytes({f"a{n:05}": n for n in range(count)})

    parts = content.split({"frame": frame})

    assert len(parts) <= content.PARTS_MAX + 1
    assert content.join(parts) == {"frame": frame}


@pytest.mark.parametrize("count", [128, 129, 256])
def test_the_number_of_texts_seen_is_bounded_too(count):
    context = [{"id": str(n), "text": f"text {n}"} for n in range(count)]
    frame = canonical.encode({"context": context})

    parts = content.split({"frame": frame})

    assert len(parts) <= content.PARTS_MAX + 1
    assert content.join(parts) == {"frame": frame}


def test_a_growing_list_keeps_its_early_parts_beyond_the_bound():
    def history(count: int) -> set[bytes]:
        calls = [{"tool": f"t{n}"} for n in range(count)]
        frame = canonical.encode({"history": calls})
        return set(content.split({"frame": frame}).values())

    assert len(history(151) - history(150)) <= 1
    assert len(history(152) - history(151)) <= 1


def test_where_a_part_is_missing_the_hole_stays():
    parts = content.split({"frame": frame_bytes({"a": 1, "b": 2}, request={"user": "charge"})})
    del parts["frame/action/arguments/0"], parts["frame/request/user"]

    joined = msgspec.json.decode(content.join(parts)["frame"])

    assert joined["action"]["arguments"] == {"b": 2}
    assert joined["request"]["user"] is None


@pytest.mark.parametrize(
    "parts",
    [
        {"frame/request/user": b'"a"'},
        {"frame": b"{}", "frame/request/user": b'"a"'},
        {"frame": b'{"context":[{}]}', "frame/context/7/text": b'"a"'},
        {"frame": b"7", "frame/request": b'"a"'},
    ],
)
def test_parts_that_do_not_fit_together_are_refused(parts):
    with pytest.raises(ValueError, match="part"):
        content.join(parts)


def test_a_name_with_a_slash_is_refused():
    with pytest.raises(ValueError, match="slash"):
        content.split({"frame/request": b"{}"})


def as_text(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return data.decode("utf-8", "replace")


@given(
    st.lists(st.tuples(OBJECT, REQUEST, CONTEXT, HISTORY), min_size=1, max_size=4),
    st.sampled_from([0, 2_000, 1 << 20]),
)
def test_a_run_reads_the_same_joined_event_by_event_or_with_what_it_repeats(run, remembered):
    """What is remembered shows in nothing but time, however little of it there is room for."""
    joining = Joining(remembered)
    for arguments, request, context, history in [*run, *run]:
        frame = frame_bytes(arguments, request=request, context=context, history=history)
        whole = {"decision": b'{"a":1}', "frame": frame, "output": b"no JSON"}
        parts = content.split(whole)

        assert joining.join(parts) == whole
        values = joining.values(parts)
        assert canonical.encode(values["frame"]) == frame
        assert values == {name: as_text(data) for name, data in whole.items()}


@pytest.mark.parametrize(
    "parts",
    [
        {"frame": b'{"history":[]}', "frame/history/0": b"[1]", "frame/history/1": b"7"},
        {"frame": b'{"history":[]}', "frame/history/0": b'"ab"'},
        {"frame": b'{"model":{}}', "frame/model/0": b'{"a":1}', "frame/model/1": b'{"a":2}'},
        {"frame": b'{"model":null}', "frame/model": b'1,"model":2'},
        {"frame": b'{"model":null}', "frame/model": b"no JSON"},
        {"frame": b'{"model":null}', "frame/model": b'"\xff"'},
        {"frame": b'{"context":[{"text":null}]}', "frame/context/0/text": b" 1 "},
    ],
)
def test_values_are_what_the_joined_bytes_say_whatever_the_parts_are(parts):
    joining = Joining()

    values = joining.values(parts)

    assert values == {name: as_text(data) for name, data in content.join(parts).items()}
    assert joining.values(parts) == values


def test_values_of_parts_that_do_not_fit_together_are_refused_too():
    with pytest.raises(ValueError, match="do not fit"):
        Joining().values({"frame": b'{"context":[{}]}', "frame/context/7/text": b'"a"'})


def test_parts_without_their_whole_are_named_and_left_out():
    parts = {"frame/request/user": b'"a"', "rounds": b"[]"}
    joining = Joining()

    assert joining.lost(parts) == ["frame"]
    assert joining.join(parts) == {"rounds": b"[]"}
    assert joining.values(parts) == {"rounds": []}
