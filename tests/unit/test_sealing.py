"""The cryptography of content: what opens what, and where."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import sealing
from gateway.domain.sealing import SealBroken

SECRET = bytes(range(32))
KEY = sealing.content_key(SECRET)


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_what_was_sealed_opens_in_its_place(data, aad):
    assert sealing.unseal(KEY, sealing.seal(KEY, data, aad), aad) == data


@given(st.data())
def test_one_changed_bit_breaks_the_seal(data):
    sealed = sealing.seal(KEY, b"content", b"place")
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    changed = bytearray(sealed)
    changed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(SealBroken):
        sealing.unseal(KEY, bytes(changed), b"place")


@pytest.mark.parametrize("length", range(30))
def test_cut_bytes_are_no_seal(length):
    with pytest.raises(SealBroken):
        sealing.unseal(KEY, sealing.seal(KEY, b"content", b"place")[:length], b"place")


def test_another_key_or_place_does_not_open():
    sealed = sealing.seal(KEY, b"content", b"place")

    for key, aad in ((sealing.content_key(bytes(32)), b"place"), (KEY, b"elsewhere")):
        with pytest.raises(SealBroken):
            sealing.unseal(key, sealed, aad)


def test_no_nonce_comes_twice():
    """S12: the same bytes under the same key never give the same seal."""
    nonces = {sealing.seal(KEY, b"", b"")[:12] for _ in range(20_000)}

    assert len(nonces) == 20_000


def test_a_wrapped_key_is_a_key():
    wrapped = sealing.wrap(KEY, SECRET, b"run")
    assert sealing.unwrap(KEY, wrapped, b"run") == SECRET

    with pytest.raises(SealBroken, match="32 bytes"):
        sealing.unwrap(KEY, sealing.seal(KEY, b"short", b"run"), b"run")


def test_commitments_are_those_of_the_design():
    """Spelled out with nothing but the standard library, as an outside verifier would."""
    inner = hmac.digest(SECRET, b"evt_1\x00frame", hashlib.sha256)
    expected = hmac.new(inner, b"data", hashlib.sha256).hexdigest()
    assert sealing.commitment(SECRET, "evt_1", "frame", b"data") == expected

    stored = hmac.new(SECRET, b"store\x00data", hashlib.sha256).hexdigest()
    assert sealing.storage_key(SECRET, b"data") == stored

    extracted = hmac.digest(bytes(32), SECRET, hashlib.sha256)
    expanded = hmac.digest(extracted, b"content\x01", hashlib.sha256)
    assert expanded == KEY


def test_commitments_of_an_event_are_those_of_each_part():
    """The names and the bytes of one part leave nothing behind for the next."""
    parts = {"frame": b"data", "frame/action": b"", "rounds": b"data", "é": b"x" * 5000}

    expected = {}
    for name, data in parts.items():
        inner = hmac.digest(SECRET, b"evt_1\x00" + name.encode(), hashlib.sha256)
        expected[name] = hmac.new(inner, data, hashlib.sha256).hexdigest()
    assert sealing.commitments(SECRET, "evt_1", parts) == expected
    assert sealing.commitments(SECRET, "evt_1", parts) == expected


def test_a_commitment_is_of_one_place_and_a_storage_key_of_the_bytes():
    """The same bytes are stored once in a run, and committed to apart at each place."""
    places = [("evt_1", "frame"), ("evt_2", "frame"), ("evt_1", "framed"), ("evt_", "1frame")]
    assert len({sealing.commitment(SECRET, *place, b"data") for place in places}) == 4

    assert sealing.storage_key(SECRET, b"data") == sealing.storage_key(SECRET, b"data")
    assert sealing.storage_key(SECRET, b"data") != sealing.storage_key(bytes(32), b"data")
