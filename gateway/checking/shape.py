"""What can be told about a JSON text from its bytes, without parsing it.

Everything is a fixed number of passes of C code over the bytes, linear in their number. For valid
JSON the answers are exact. For anything else they mean nothing, but then a parser will refuse it;
and up to the byte where the parser stops, what stands outside strings is told rightly. That is
what counts: a number that is slow to parse cannot hide.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from gateway.checking.limits import NUMBER_CHARS
from gateway.domain.check import MAX_SAFE

_WHITESPACE: Final = b" \t\r\n"
# Every digit becomes 0, both kinds of bracket become one, an exponent is a small e.
_ALIKE: Final = bytes.maketrans(b"123456789E{}", b"000000000e[]")
_ALL_BUT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]")
_LONG_NUMBER: Final = re.compile(rb"[0-9.eE+-]{16,}")
_SAFE_DIGITS: Final = len(str(MAX_SAFE))


class Outline(Struct, frozen=True, gc=False):
    """A JSON text taken apart.

    `strings` are the contents of its strings, each of at least as many bytes as it has characters;
    `between` is what stands before, between and after them; `marks` is that without white space,
    each string reduced to one quote, digits to zeros and braces to brackets.
    """

    strings: list[bytes]
    between: list[bytes]
    marks: bytes


def outline(body: bytes) -> Outline:
    if b"\\" in body:
        # A run of backslashes pairs up from its left, here as in JSON. What is left before a
        # quote after that escapes it.
        body = body.replace(b"\\\\", b"_").replace(b'\\"', b"_")
    parts = body.split(b'"')
    between = parts[::2]
    return Outline(parts[1::2], between, b'"'.join(between).translate(_ALIKE, _WHITESPACE))


def count_nodes(outline: Outline) -> int:
    """How many values there are: the root, and in each array or object one more than commas."""
    marks = outline.marks
    return 1 + marks.count(b",") + marks.count(b"[") - marks.count(b"[]")


def count_keys(outline: Outline) -> int:
    return outline.marks.count(b":")


def count_exponents(outline: Outline) -> int:
    return outline.marks.count(b"0e")


def is_deeper(outline: Outline, limit: int) -> bool:
    """Whether arrays and objects stand within each other more than `limit` deep.

    Taking out every innermost pair of brackets takes off one level. What is not JSON and goes
    more than twice as deep, closed or not, is found as well: a parser may recurse that far.
    """
    if outline.marks.count(b"[") <= limit:
        return False
    brackets = outline.marks.translate(None, _ALL_BUT_BRACKETS)
    # Past twice as many brackets as open, one has closed what was never open.
    brackets = brackets[: 2 * brackets.count(b"[")]
    for _ in range(limit):
        fewer = brackets.replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    return b"[]" in brackets or b"[" * (limit + 1) in brackets


def has_unsafe_number(outline: Outline) -> bool:
    """Whether an integer is beyond 2^53 - 1, where other readers of JSON would round it, or a
    number has more than NUMBER_CHARS characters."""
    if b"0" * _SAFE_DIGITS not in outline.marks:
        return False
    numbers = _LONG_NUMBER.findall(b'"'.join(outline.between))
    return any(len(number) > NUMBER_CHARS or _is_unsafe(number.lstrip(b"-")) for number in numbers)


def may_have_key_longer(outline: Outline, limit: int) -> bool:
    """False when no key has more than `limit` characters. True settles nothing."""
    strings = outline.strings
    if max(map(len, strings), default=0) <= limit:
        return False
    after = outline.between[1:]
    long = [place for place, size in enumerate(map(len, strings)) if size > limit]
    return any(after[place].lstrip(_WHITESPACE)[:1] == b":" for place in long if place < len(after))


def _is_unsafe(number: bytes) -> bool:
    return number.isdigit() and (len(number) > _SAFE_DIGITS or int(number) > MAX_SAFE)
