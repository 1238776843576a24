"""The journal's raw record: what goes in comes out, everything else is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import sealing
from gateway.domain.events import Draft
from gateway.storage import record
from gateway.storage.record import RecordUnreadable

KEY = bytes(32)
DRAFTS = st.builds(
    Draft,
    id=st.text(),
    type=st.text(),
    occurred_at=st.text(),
    recorded_at=st.text(),
    actor=st.sampled_from(["agent", "gateway", "person"]),
    body=st.binary(),
    content=st.dictionaries(st.text(), st.binary(), max_size=3),
    turn_id=st.none() | st.text(),
    action_id=st.none() | st.text(),
    parent_id=st.none() | st.text(),
)
DRAFT = Draft("evt_1", "decision", "then", "now", "gateway", b"{}", {"frame": b"[]"})


@given(DRAFTS)
def test_a_draft_comes_back_whole(draft):
    raw = record.encode(draft, record.seal_content(KEY, "prj_1", "run_1", draft))

    header, sealed = record.decode(raw)
    content = record.open_content(KEY, "prj_1", "run_1", header.id, sealed)

    assert header.content == {}
    assert msgspec.structs.replace(header, content=content) == draft


@given(st.binary() | st.binary().map(lambda tail: b"\x01" + tail))
def test_noise_is_unreadable(raw):
    with pytest.raises(RecordUnreadable):
        record.decode(raw)


@given(st.data())
def test_a_damaged_record_is_unreadable_or_does_not_open(data):
    """No damage raises anything else: the worker must be able to set the record aside."""
    raw = bytearray(record.encode(DRAFT, record.seal_content(KEY, "prj_1", "run_1", DRAFT)))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))

    try:
        header, sealed = record.decode(bytes(raw))
        record.open_content(KEY, "prj_1", "run_1", header.id, sealed)
    except (RecordUnreadable, sealing.SealBroken):
        pass


@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_record_of_another_version_says_so(version):
    raw = record.encode(DRAFT, b"")

    with pytest.raises(RecordUnreadable, match=f"version {version}, this release reads 1"):
        record.decode(bytes([version]) + raw[1:])


def test_nothing_may_follow_a_record():
    with pytest.raises(RecordUnreadable):
        record.decode(record.encode(DRAFT, b"") + b"\x00")


def test_sealed_content_of_another_shape_is_unreadable():
    aad = record.content_aad("prj_1", "run_1", "evt_1")
    sealed = sealing.seal(KEY, b"\x01", aad)

    with pytest.raises(RecordUnreadable):
        record.open_content(KEY, "prj_1", "run_1", "evt_1", sealed)
