"""The hash chain: every byte of every event is held by it, and the bytes are RFC 8785."""

from __future__ import annotations

import hashlib
import hmac
import types
import typing
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct

from gateway.audit import chain
from gateway.audit.chain import Link
from gateway.domain import canonical, sealing
from gateway.domain.events import BODIES, Event
from gateway.domain.observations import EVIDENCE_FIELDS, Observation
from tests.ledger import events

SAFE = st.integers(-(2**53) + 1, 2**53 - 1)
# Keys of hashed objects are ASCII; values are any text that can be UTF-8.
KEY = st.text(st.characters(max_codepoint=127), max_size=8)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """All values of a body's type, from its annotations."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return values(arguments[0])
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values(each) for each in arguments])
    if origin is list:
        return st.lists(values(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(KEY, values(arguments[1]), max_size=3)
    if isinstance(kind, type) and issubclass(kind, Struct):
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = {name: values(hints[name]) for name in kind.__struct_fields__}
        return st.builds(kind, **fields)
    return {str: TEXT, int: SAFE, bool: st.booleans(), type(None): st.none()}[kind]


def evidence() -> list[Any]:
    """The types of all fields of observations that are evidence, and so are hashed."""
    found = []
    for kind in typing.get_args(Observation):
        hints = typing.get_type_hints(kind, include_extras=True)
        found += [hints[name] for name in kind.__struct_fields__ if name in EVIDENCE_FIELDS]
    return found


@pytest.mark.parametrize("kind", sorted(BODIES))
@given(st.data())
def test_the_bytes_of_a_body_are_rfc_8785(kind, data):
    """design 4: hash the bytes that are stored; no second implementation needs ours."""
    body = data.draw(values(BODIES[kind]))

    assert canonical.encode(body) == rfc8785.dumps(msgspec.to_builtins(body))


@given(st.data())
def test_the_bytes_of_an_observations_evidence_are_rfc_8785(data):
    kinds = evidence()
    body = {f"field{n}": data.draw(values(kind)) for n, kind in enumerate(kinds)}
    plain = msgspec.to_builtins(body)

    assert canonical.encode(body) == rfc8785.dumps(plain)


@given(st.data())
def test_the_bytes_of_a_whole_event_are_rfc_8785(data):
    kind = data.draw(st.sampled_from(sorted(BODIES)))
    body = data.draw(values(BODIES[kind]))
    fields = {name: data.draw(TEXT) for name in ("id", "project_id", "environment", "run_id")}
    event = Event(
        **fields,
        seq=data.draw(st.integers(1, 2**53 - 1)),
        type=kind,
        occurred_at=data.draw(TEXT),
        recorded_at=events.NOON,
        actor="gateway",
        body=Raw(canonical.encode(body)),
        blobs=data.draw(st.dictionaries(KEY, TEXT, max_size=4)),
        prev_hash="",
        turn_id=data.draw(st.none() | TEXT),
    )

    record = chain.link(event).record

    assert record == rfc8785.dumps(msgspec.json.decode(record))


def test_no_body_can_hold_a_float():
    """design 4: hashed bytes hold no floats, whose text differs between languages."""

    def floats(kind: Any) -> bool:
        if isinstance(kind, type) and issubclass(kind, Struct):
            hints = typing.get_type_hints(kind, include_extras=True)
            return any(floats(hint) for hint in hints.values())
        return kind in (float, Any) or any(floats(each) for each in typing.get_args(kind))

    assert [kind for kind in [*BODIES.values(), *evidence()] if floats(kind)] == []


def linked(count: int = 6) -> tuple[str, list[Link]]:
    genesis = chain.genesis(events.PROJECT, "run_1")
    drafts = [events.started(), *[events.decided() for _ in range(count - 1)]]
    persists = events.persists(drafts)
    return genesis, chain.extend(genesis, [each.event for each in persists])


GENESIS, LINKS = linked()


def test_an_untouched_chain_has_no_break():
    assert chain.first_break(GENESIS, LINKS) is None
    assert LINKS[0].hash == hashlib.sha256(LINKS[0].record).hexdigest()


@given(st.data())
def test_changing_any_stored_byte_breaks_the_chain_there(data):
    """A1: any change is detected, and located."""
    at = data.draw(st.integers(0, len(LINKS) - 1))
    victim = LINKS[at]
    place = data.draw(st.integers(0, len(victim.record) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = bytearray(victim.record)
    changed[place] ^= flip

    tampered = [*LINKS[:at], Link(bytes(changed), victim.hash), *LINKS[at + 1 :]]

    assert chain.first_break(GENESIS, tampered) == at


@given(st.integers(0, len(LINKS) - 2))
def test_a_change_whose_hash_was_made_to_fit_breaks_the_chain_behind_it(at):
    record = LINKS[at].record.replace(b"production", b"Production")
    forged = Link(record, hashlib.sha256(record).hexdigest())

    assert chain.first_break(GENESIS, [*LINKS[:at], forged, *LINKS[at + 1 :]]) == at + 1


@given(st.integers(0, len(LINKS) - 2))
def test_taking_one_out_breaks_the_chain_at_its_place(at):
    assert chain.first_break(GENESIS, [*LINKS[:at], *LINKS[at + 1 :]]) == at


@given(st.permutations(range(len(LINKS))).filter(lambda order: order != sorted(order)))
def test_another_order_breaks_the_chain_at_the_first_that_moved(order):
    moved = next(place for place, origin in enumerate(order) if place != origin)

    assert chain.first_break(GENESIS, [LINKS[origin] for origin in order]) == moved


def test_a_chain_belongs_to_one_run():
    assert chain.first_break(chain.genesis("prj_1", "run_2"), LINKS) == 0
    assert chain.genesis("ab", "c") != chain.genesis("a", "bc")


@given(st.binary(max_size=64), st.binary(max_size=200), TEXT, TEXT)
def test_commitments_and_storage_keys_are_hmac_sha256(secret, data, event_id, name):
    """design 4: what an auditor works out with any HMAC implementation."""
    inner = hmac.digest(secret, f"{event_id}\x00{name}".encode(), "sha256")

    assert (
        sealing.commitment(secret, event_id, name, data)
        == hmac.new(inner, data, "sha256").hexdigest()
    )
    assert (
        sealing.storage_key(secret, data)
        == hmac.new(secret, b"store\x00" + data, "sha256").hexdigest()
    )
