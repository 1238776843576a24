"""What the SDK makes of values that the gateway would refuse: one must not take a batch with it."""

from __future__ import annotations

import pytest
from checkrein._names import digest, media_type, token


@pytest.mark.parametrize("text", ["gpt-4o", "acme/eu-1:v2", "a@b+c_d.e", "x" * 256])
def test_a_word_is_sent_as_it_is(text):
    assert token(text) == text


@pytest.mark.parametrize("text", ["Azure OpenAI", "", "é", "a\n", "x" * 257])
def test_what_is_no_word_is_sent_as_its_digest(text):
    assert len(token(text).removeprefix("sha256:")) == 64


def test_a_digest_is_sent_as_it_is_and_anything_else_as_its_own():
    assert digest("ab" * 32) == "ab" * 32
    assert digest("sha256:" + "AB" * 32) == "sha256:" + "AB" * 32
    assert len(digest("md5 of it")) == 71


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("text/plain", "text/plain"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("image/svg+xml", "image/svg+xml"),
        ("a picture of my cat", "application/octet-stream"),
        ("text/plain\n", "application/octet-stream"),
    ],
)
def test_a_media_type_has_its_form(text, sent):
    assert media_type(text) == sent
