"""YAML is read strictly, and every complaint has its line."""

from __future__ import annotations

import pytest

from gateway.policies import yaml_text
from gateway.policies.yaml_text import YamlRefused

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcde", "bcdef", strict=True)
)
MERGE_BOMB = "a: &a {k: 1, l: 1}\n" + "".join(
    f"{name}: &{name}\n  <<: [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3", 3, "`a` is given twice"),
        ("a:\n  b: 1\n  b: 2", 3, "`b` is given twice"),
        ("a: &a\n  - *a", 1, "an alias stands inside what it names"),
        (BOMB, 5, "more than 50000 values"),
        (MERGE_BOMB, 11, "more than 50000 values"),
        ("a:\n  b: 2026-11-20", 2, "is read as a date"),
        ("a: 1\n1: 2", 1, "the key 1 is not a string"),
        ("a: 1\non: 2", 1, "the key True is not a string"),
        ("a:\n  - .inf", 2, "a number must be finite"),
        ("a: 99999999999999999999", 1, "beyond 2^53"),
        ("a: !!python/object/apply:os.system [ls]", 1, "not YAML"),
        ("a: b: c", 1, "not YAML"),
        ("a: 1\n--- \nb: 2", 2, "not YAML"),
        ("? {a: 1}\n: 2", 1, "a key must be a word"),
        ("[" * 40 + "]" * 40, 1, "nested deeper than 32"),
        ("[" * 5000, 1, "not YAML"),
        ("a: \x00", 1, "not YAML"),
        ("a: !!binary aGk=", 1, "is read as a bytes"),
    ],
)
def test_what_a_policy_must_not_hold_is_refused(text, line, words):
    with pytest.raises(YamlRefused) as refused:
        yaml_text.parse(text)

    assert words in refused.value.text
    assert refused.value.line == line


def test_aliases_of_ordinary_size_may_be_used():
    document = yaml_text.parse("a: &a [1, 2]\nb: *a\nc: {<<: {d: 1}, e: 2}")

    assert document.value == {"a": [1, 2], "b": [1, 2], "c": {"d": 1, "e": 2}}


def test_each_part_has_its_line():
    document = yaml_text.parse("a:\n  - b: 1\n    c: 2\n  - 3\n", first_line=10)

    assert document.line(("a", "0", "c")) == 12
    assert document.line(("a", "1")) == 13
    assert document.line(("a", "0", "absent", "deeper")) == 11
