"""Where a rule leaves the subset of Rego on which engines agree."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.policies.rego.builtins import EDGES, TEXT_RESULTS
from gateway.policies.rego.reading import Call, RuleFacts
from gateway.policies.rego.syntax import Node, kind_of, line_of

# Classes whose meaning beyond ASCII differs.
CLASSES = ("\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\b", "\\B")
# Verbs of formats beside the two that say anything the same way.
VERBS = re.compile(r"(?<!%)(?:%%)*(%[-+# 0-9.]*[^-+# 0-9.%sv])")
# What an agent writes may be of any type; so may what lies in it.
WRITTEN = (("input", "action", "arguments"), ("input", "external_state"))
PLANNED = ("input", "request", "plan", "arguments")
ORDER = frozenset({"Lt", "Le", "Gt", "Ge"})
LITERALS = {
    "String": "text",
    "RawString": "text",
    "Number": "a number",
    "Bool": "a boolean",
    "Null": "null",
    "Array": "an array",
    "Object": "an object",
    "Set": "a set",
}

Remark = tuple[int, str, str]


def remarks(rule: RuleFacts) -> Iterator[Remark]:
    """Line, code and text of each warning."""
    for call in rule.calls:
        if call.target is None:
            yield from _about_call(call)
    for kind, body in rule.operations:
        if kind == "ArithExpr":
            yield from _about_arithmetic(body)
        elif kind == "SomeIn":
            yield from _about_iteration(body)
        elif body["op"] in ORDER:
            yield from _about_order(body)


def _about_call(call: Call) -> Iterator[Remark]:
    if call.name in EDGES:
        code, text = EDGES[call.name]
        yield call.line, code, f"{call.name}: {text}"
    elif call.name == "sprintf" and call.arguments:
        if verbs := VERBS.findall(_text(call.arguments[0])):
            text = "engines disagree on negative numbers and on what is no number; %v is exact"
            yield call.line, "portable_format", f"{' '.join(verbs)} in sprintf: {text}"
    elif call.name.startswith("regex."):
        used = [
            name for name in CLASSES if any(name in text for text in map(_text, call.arguments))
        ]
        if used:
            text = "engines disagree on letters and digits beyond ASCII; write [0-9A-Za-z_]"
            yield call.line, "portable_regex", f"{' '.join(used)} in {call.name}: {text}"
    elif call.name == "count" and call.arguments and _is_text(call.arguments[0]):
        text = "count of text: engines disagree on characters made of several code points"
        yield call.line, "portable_count", text


def _about_arithmetic(body: Node) -> Iterator[Remark]:
    sides = (body["lhs"], body["rhs"])
    fraction = any(isinstance(_number(side), float) for side in sides)
    if fraction or body["op"] == "Div":
        text = "engines disagree on the last digits of fractions; count in minor units"
        yield line_of(body), "portable_float", text


def _about_iteration(body: Node) -> Iterator[Remark]:
    over = tuple(body["over"])
    inside = any(over[: len(path)] == path and len(over) > len(path) for path in WRITTEN)
    if inside or over[: len(PLANNED)] == PLANNED:
        text = (
            f"some ... in {'.'.join(over)}: where this is no collection, one engine fails and the "
            "other says nothing; ask is_array or is_object before"
        )
        yield line_of(body), "portable_iteration", text


def _about_order(body: Node) -> Iterator[Remark]:
    left, right = kind_of(body["lhs"]), kind_of(body["rhs"])
    kinds = {LITERALS[kind] for kind in (left, right) if kind in LITERALS}
    if len(kinds) == 2 or kinds & {"a boolean", "null"}:
        text = f"engines disagree on the order of {' and '.join(sorted(kinds))}"
        yield line_of(body), "portable_order", f"{text} beside other types"


def _text(node: Node) -> str:
    kind = kind_of(node)
    return str(node[kind]["value"]) if kind in {"String", "RawString"} else ""


def _number(node: Node) -> int | float | None:
    value = node["Number"]["value"] if kind_of(node) == "Number" else None
    return value if isinstance(value, (int, float)) else None


def _is_text(node: Node) -> bool:
    if kind_of(node) == "Call":
        function = node["Call"]["fcn"]
        return kind_of(function) == "Var" and function["Var"]["value"] in TEXT_RESULTS
    return kind_of(node) in {"String", "RawString"}
