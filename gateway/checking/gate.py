"""The input gate: bytes that an agent sent become a value, or a problem with a code and a place.

What a body costs to read is bounded before anything reads it: size, UTF-8, nodes, depth, exponents
and long integers are counted on the bytes alone. Only then does a parser see it, once to prove
that no object names a member twice, and once to make the value. A body of 256 KiB costs a few
milliseconds whatever it holds, so one caller cannot hold up the others.
"""

from __future__ import annotations

from typing import Final, Literal, TypeVar

import msgspec

from gateway.checking import locate, shape
from gateway.checking.complaints import as_problem
from gateway.checking.limits import LIMITS, Limits
from gateway.checking.names import check_names
from gateway.domain.check import ActionCheck
from gateway.errors import BadRequest, TooLarge

T = TypeVar("T")

GateCode = Literal[
    "body_too_large",
    "empty_body",
    "not_utf8",
    "not_json",
    "too_deep",
    "too_many_nodes",
    "too_many_exponents",
    "number_out_of_range",
    "key_too_long",
    "duplicate_key",
    "wrong_type",
    "missing_field",
    "unknown_field",
    "value_out_of_range",
    "bad_name",
]

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_any: Final = msgspec.json.Decoder()
_encoder: Final = msgspec.json.Encoder()
_check: Final = msgspec.json.Decoder(ActionCheck)


def decode(body: bytes, decoder: msgspec.json.Decoder[T], limits: Limits = LIMITS) -> T:
    """The value of a body. Raises BadRequest or TooLarge, with one of `GateCode`.

    Accepted is what RFC 8259 allows, within `limits` and without a repeated key in any object.
    """
    _check_bytes(body, limits)
    outline = shape.outline(body)
    _check_outline(body, outline, limits)
    value = None
    try:
        value = _any.decode(body)
        _check_keys(body, outline, value)
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise as_problem(str(error), body, value) from None
    except msgspec.DecodeError as error:
        raise BadRequest("not_json", f"{error}.", pointer="") from None


def decode_check(body: bytes) -> ActionCheck:
    """The body of `POST /v1/check-action`, its names and ids looked at as well."""
    check = decode(body, _check)
    check_names(check)
    return check


def _check_bytes(body: bytes, limits: Limits) -> None:
    if len(body) > limits.body_bytes:
        raise TooLarge("body_too_large", f"The limit is {limits.body_bytes} bytes.", pointer="")
    if not body or body.isspace():
        raise BadRequest("empty_body", "The body is empty.", pointer="")
    if body.isascii():
        return
    if body.startswith(_BYTE_ORDER_MARK):
        raise BadRequest("not_json", "JSON does not begin with a byte order mark.", pointer="")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("not_utf8", f"Byte {error.start} is not UTF-8.", pointer="") from None


def _check_outline(body: bytes, outline: shape.Outline, limits: Limits) -> None:
    """What would be costly to parse, or cannot be told exactly to other readers of JSON."""
    if shape.count_nodes(outline) > limits.nodes:
        raise BadRequest("too_many_nodes", f"The limit is {limits.nodes} values.", pointer="")
    if shape.count_exponents(outline) > limits.exponents:
        detail = f"At most {limits.exponents} numbers may have an exponent."
        raise BadRequest("too_many_exponents", detail, pointer="")
    if shape.is_deeper(outline, limits.depth):
        place = locate.find(body, locate.is_below(limits.depth)) or ""
        raise BadRequest("too_deep", f"The limit is {limits.depth} levels.", pointer=place)
    if shape.has_unsafe_number(outline):
        place = locate.find(body, locate.is_unsafe_number) or ""
        detail = "Integers reach to 2^53 - 1 either way; send anything longer as a string."
        raise BadRequest("number_out_of_range", detail, pointer=place)
    if shape.may_have_key_longer(outline, limits.key_chars):
        # Bytes are no characters: only the parsed keys tell.
        found = locate.find(body, locate.is_key_longer(limits.key_chars))
        if found is not None:
            detail = f"A key may have {limits.key_chars} characters."
            raise BadRequest("key_too_long", detail, pointer=found.rpartition("/")[0])


def _check_keys(body: bytes, outline: shape.Outline, value: object) -> None:
    """Refuse a key that an object holds twice, since readers differ in which one they take.

    A parsed object holds each key once. So when it is written out again with as many keys as came
    in, none was repeated; and when the bytes are the same, there is nothing to count.
    """
    written = _encoder.encode(value)
    if written == body or shape.count_keys(shape.outline(written)) == shape.count_keys(outline):
        return
    place = locate.find(body, locate.is_repeated_key, safe_numbers=True) or ""
    raise BadRequest("duplicate_key", "An object names this member twice.", pointer=place)
