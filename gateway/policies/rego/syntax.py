"""Reading regorus' syntax tree: one-key objects `{kind: body}`, with spans into the source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# A step of a reference that is not a constant.
ANY = "*"

Node = dict[str, Any]


def line_of(body: Any) -> int:
    """The line a node begins on; 0 where the tree does not say."""
    span = body.get("span", body) if isinstance(body, dict) else {}
    return int(span.get("line", 0))


def text_of(span: Node, source: bytes) -> str:
    """The source that a span covers; offsets count bytes."""
    return source[span["start"] : span["end"]].decode(errors="replace")


def kind_of(node: Any) -> str:
    """`Var`, `Call`, ...; empty for anything that is no node."""
    return next(iter(node)) if isinstance(node, dict) and len(node) == 1 else ""


def steps(node: Node) -> tuple[Node, list[str], list[Node]]:
    """Take a reference apart: its root, its steps (`*` when not constant), the other indexes.

    `input.a["b"][i].c` is `input`, `["a", "b", "*", "c"]` and the node of `i`.
    """
    path: list[str] = []
    indexes: list[Node] = []
    while (kind := kind_of(node)) in {"RefDot", "RefBrack"}:
        body = node[kind]
        if kind == "RefDot":
            path.append(body["field"][1])
        else:
            constant = _constant(body["index"])
            path.append(ANY if constant is None else constant)
            if constant is None:
                indexes.append(body["index"])
        node = body["refr"]
    return node, path[::-1], indexes


def _constant(index: Node) -> str | None:
    kind = kind_of(index)
    if kind in {"String", "RawString", "Number"}:
        return str(index[kind]["value"])
    return None


def variables(pattern: Any) -> Iterator[str]:
    """The variables that a pattern binds: `[x, {"k": y}]` binds x and y."""
    if isinstance(pattern, list):
        for item in pattern:
            yield from variables(item)
    elif (kind := kind_of(pattern)) == "Var":
        yield pattern["Var"]["value"]
    elif kind in {"Array", "Set"}:
        yield from variables(pattern[kind]["items"])
    elif kind == "Object":
        for _, _, value in pattern["Object"]["fields"]:
            yield from variables(value)


def package_of(tree: Node) -> tuple[str, ...]:
    """The steps of the package, without `data`."""
    root, path, _ = steps(tree["package"]["refr"])
    return (root["Var"]["value"], *path)


def head_path(refr: Node) -> tuple[str, ...]:
    """The constant beginning of a rule's name: `a.b[x].c` is `a.b`."""
    root, path, _ = steps(refr)
    return until_any((root["Var"]["value"], *path))


def until_any(path: tuple[str, ...]) -> tuple[str, ...]:
    """The part of a path before its first step that is not constant."""
    return path[: path.index(ANY)] if ANY in path else path
