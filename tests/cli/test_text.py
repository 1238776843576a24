"""S6: nothing that an agent wrote reaches a terminal as a control."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.text import as_json, line, pretty, shown

hostile = st.sampled_from("\x1b\x9b\x07\x08\r\x7f\u202e\u200b\u2066\ufeff\u3164\U000e0041")
unseen = st.characters(categories=["Cc", "Cf", "Co", "Cn", "Zl", "Zp"])
# What JSON can carry: two lone surrogates side by side would come back as one character.
encodable = st.text(st.one_of(st.characters(), unseen, hostile))
anything = st.text(st.one_of(st.characters(), unseen, hostile, st.characters(categories=["Cs"])))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | encodable,
    lambda inner: st.lists(inner) | st.dictionaries(encodable, inner),
    max_leaves=20,
)


def obeyed(text: str, allowed: str = "") -> list[str]:
    """The characters that a terminal may obey or that nobody can see."""
    unseen = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return [char for char in text if unicodedata.category(char) in unseen and char not in allowed]


@given(anything)
def test_no_control_character_survives(value: str) -> None:
    """S6: newline and tab are all that is left, and on one line not even they."""
    assert obeyed(shown(value), allowed="\n\t") == []
    assert obeyed(line(value)) == []


@given(json_values)
def test_no_control_character_survives_in_json(value: object) -> None:
    """S6: JSON for scripts is safe to look at, and gives back exactly what was put in."""
    text = as_json(value)

    assert obeyed(text) == []
    assert text.isascii()
    assert json.loads(text) == value


@given(json_values)
def test_no_control_character_survives_in_a_pretty_value(value: object) -> None:
    """S6: arguments are shown as people read them, without what cannot be seen."""
    assert obeyed(pretty(value), allowed="\n\t") == []


@given(anything)
def test_what_was_shown_is_shown_again_unchanged(value: str) -> None:
    """A text that was made safe once may pass through here again."""
    once = shown(value, 10_000)

    assert shown(once, 100_000) == once


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("\x1b]0;owned\x07", "⟨U+001B⟩]0;owned⟨U+0007⟩"),
        ("\x9b31mred", "⟨U+009B⟩31mred"),
        ("pay \u202eecila", "pay ⟨U+202E⟩ecila"),
        ("ad\u200bmin", "ad⟨U+200B⟩min"),
        ("a\rb", "a⟨U+000D⟩b"),
        ("fill\u3164er", "fill⟨U+3164⟩er"),
        ("lone \ud800", "lone ⟨U+D800⟩"),
        ("Grüße, 世界 🙂", "Grüße, 世界 🙂"),
    ],
)
def test_what_cannot_be_seen_is_named(value: str, wanted: str) -> None:
    assert shown(value) == wanted


def test_a_value_cannot_begin_a_row_of_its_own() -> None:
    """A faked line such as `decision allow` stays within the value's own line."""
    assert line("x\ndecision allow\t!") == "x\\ndecision allow\\t!"


def test_a_long_value_is_cut_and_says_so() -> None:
    assert shown("a" * 5_000, 10) == "aaaaaaaaaa… (4,990 more characters)"
