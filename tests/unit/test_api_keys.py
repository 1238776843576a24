"""API keys as text: recognisable, checked before anything is looked up, hostile input refused."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import api_keys

ENVIRONMENTS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=64)
KEY = "cr_production_0123456789abcdef_" + "A" * 43


@given(ENVIRONMENTS)
def test_a_made_key_is_parsed_into_its_parts(environment):
    """Whatever the environment is called, also with underscores in its name."""
    text, key_id, secret = api_keys.make(environment)

    assert api_keys.parse(text) == api_keys.KeyParts(environment, key_id, secret)
    assert text.startswith(f"cr_{environment}_")


def test_keys_differ_and_carry_256_random_bits():
    made = {api_keys.make("production") for _ in range(200)}

    assert len({key_id for _, key_id, _ in made}) == 200
    assert len({secret for _, _, secret in made}) == 200
    assert 62 ** len(next(iter(made))[2]) >= 2**256


@given(st.data())
def test_a_typing_error_is_noticed(data):
    """Any other character at any place gives no key."""
    text, _, _ = api_keys.make("staging")
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(string.printable).filter(lambda c: c != text[place]))

    assert api_keys.parse(text[:place] + other + text[place + 1 :]) is None


@given(st.text() | st.text("cr_AZaz09-.", max_size=170))
def test_no_text_breaks_the_parser(text):
    assert api_keys.parse(text) is None


@given(st.text("cr_AZaz09-.é\x00\ud800", max_size=120))
def test_a_right_check_part_alone_makes_no_key(body):
    """An attacker can compute the check; the parts must be right all the same."""
    ascii_body = body.encode("ascii", "replace").decode()
    parts = api_keys.parse(f"{ascii_body}_{api_keys._check(ascii_body)}")

    if parts is not None:
        assert f"cr_{parts.environment}_{parts.id}_{parts.secret}" == ascii_body
        assert api_keys.nameable(parts.environment)


@pytest.mark.parametrize(
    "body",
    [
        KEY.replace("cr_", "sk_"),
        KEY.replace("production", ""),
        KEY.replace("production", "Production"),
        KEY.replace("production", "x" * 65),
        KEY + "A",
        KEY[:-1],
        KEY[:-1] + "-",
        KEY.replace("0123", "012"),
        "cr__" + "A" * 43,
        "",
    ],
)
def test_a_body_of_another_shape_is_no_key(body):
    assert api_keys.parse(f"{KEY}_{api_keys._check(KEY)}") is not None

    assert api_keys.parse(f"{body}_{api_keys._check(body)}") is None


def test_the_digest_depends_on_key_and_pepper():
    one = api_keys.digest(b"p" * 32, KEY)

    assert api_keys.same(one, api_keys.digest(b"p" * 32, KEY))
    assert not api_keys.same(one, api_keys.digest(b"q" * 32, KEY))
    assert not api_keys.same(one, api_keys.digest(b"p" * 32, KEY + "x"))
