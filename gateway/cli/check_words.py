"""Checks as they are written on a command line.

tool:stripe.refund                  the tool is called
no-tool:stripe.charge               the tool is not called
argument:stripe.refund/amount=4500  an argument by its JSON Pointer; the value is JSON, or text
schema:stripe.refund=refund.json    the arguments fit the JSON Schema of the file
text:"order 9281"                   the answer's text has these words in it
matches:"(?i)refund(ed)?"           a regular expression of RE2 finds something in it
verdict:allow,warn                  the policy's verdict on each call is one of these
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.cli.failures import USAGE, Failure

NEXT = "checkrein re-execute --help"


def read(words: str) -> dict[str, Any]:
    """One check as the API takes it. Raises Failure."""
    kind, colon, rest = words.partition(":")
    if kind not in _READ or not colon or not rest:
        known = ", ".join(f"{name}:" for name in _READ)
        raise Failure(f"{words!r} is no check; they begin with {known}.", NEXT, USAGE)
    return _READ[kind](rest)


def value_of(text: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _argument(rest: str) -> dict[str, Any]:
    place, equals, value = rest.partition("=")
    tool, slash, pointer = place.partition("/")
    if not equals or not tool or not slash:
        text = f"{rest!r} is no argument; write TOOL/POINTER=VALUE."
        raise Failure(text, "--check argument:stripe.refund/amount=4500", USAGE)
    return {
        "kind": "argument_equals",
        "tool": tool,
        "pointer": f"/{pointer}",
        "value": value_of(value),
    }


def _schema(rest: str) -> dict[str, Any]:
    tool, _, path = rest.partition("=")
    try:
        schema = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        text = f"The schema {path!r} cannot be read: {error}"
        raise Failure(text, "--check schema:TOOL=FILE", USAGE) from None
    return {"kind": "arguments_match", "tool": tool, "schema": schema}


_READ: dict[str, Callable[[str], dict[str, Any]]] = {
    "tool": lambda rest: {"kind": "tool_called", "tool": rest},
    "no-tool": lambda rest: {"kind": "tool_not_called", "tool": rest},
    "argument": _argument,
    "schema": _schema,
    "text": lambda rest: {"kind": "text_contains", "text": rest},
    "matches": lambda rest: {"kind": "text_matches", "pattern": rest},
    "verdict": lambda rest: {"kind": "verdict", "one_of": rest.split(",")},
}
