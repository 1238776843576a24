"""Words are found through every disguise that a reader would see through, and in bounded time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intent.v1.text import LIMIT, prepare, stem, weight, words


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sendMoney", ["send", "money"]),
        ("create_HTTPServer.v2", ["create", "http", "server", "v", "2"]),
        ("s\u200be\u200bnd\u202e now", ["send", "now"]),
        ("ѕеnd mоnеу", ["send", "money"]),
        ("pa\u0301y 1,234.50", ["pay", "1,234.50"]),
        ("ｆｕｌｌ", ["full"]),
    ],
)
def test_words_are_seen_through_their_disguise(name: str, expected: list[str]) -> None:
    assert words(name) == expected
    assert list(prepare(name).tokens) == expected


def test_forms_of_a_word_share_a_stem() -> None:
    for first, second in [
        ("payments", "payment"),
        ("transferring", "transfers"),
        ("deleted", "delete"),
        ("cancelled", "cancel"),
        ("updates", "updating"),
        ("classes", "class"),
        ("reservation", "reserve"),
        ("creation", "created"),
    ]:
        assert stem(first) == stem(second)


def test_grammar_weighs_nothing_and_long_numbers_most() -> None:
    assert weight(stem("the")) == 0
    assert weight("391310425148") > weight(stem("invoice")) > weight(stem("user")) > 0


def test_sentences_and_lines_lie_where_the_text_says() -> None:
    text = prepare("Pay it. Then go!\nDone")
    assert [text.clean[a:b].strip() for a, b in text.sentences()] == ["Pay it.", "Then go!", "Done"]
    assert text.excerpt(0, 1) == "Pay it"


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 262_144,
        "A" * 262_144,
        "aB" * 131_072,
        "1," * 131_072,
        "é" * 262_144,
        "e" + "\u0301" * 262_143,
        "\u202e" * 262_144,
        "\ufdfa" * 262_144,
        "\ud800" * 9,
    ],
)
def test_hostile_text_is_cut_and_says_so(hostile: str) -> None:
    text = prepare(hostile)
    assert text.truncated == (len(hostile) > LIMIT)
    assert len(text.clean) <= LIMIT
    assert all(len(token) <= 3 * 64 for token in text.tokens)


@given(st.text(max_size=300), st.integers(1, 40))
def test_windows_hold_every_token_and_spans_are_inside(raw: str, width: int) -> None:
    text = prepare(raw)
    held = {place for first, last in text.windows(width) for place in range(first, last)}
    assert held == set(range(len(text.tokens)))
    assert all(0 <= start < end <= len(text.clean) for start, end in text.spans)
    assert prepare(raw) is text
