"""YAML that people write for the policy: read strictly, with the line of everything.

Apart, because plain YAML loading forgives what a policy must not: a key given twice, an alias bomb,
a date or a `no` where a word was meant.
"""

from __future__ import annotations

import math
from typing import Any

import yaml
from msgspec import Struct

NODES_MAX = 50_000
DEPTH_MAX = 32
SAFE_INTEGER = 2**53 - 1

Path = tuple[str, ...]


class YamlRefused(ValueError):
    """The text is not YAML that a policy may hold; `line` counts from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


class Document(Struct, frozen=True):
    """A JSON value and the line at which each part of it stands."""

    value: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of the nearest part at or above `path`."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str, first_line: int = 1) -> Document:
    """Read one YAML document. Raises YamlRefused with the first thing that is wrong.

    The value holds strings, numbers, booleans, null, lists and objects with string keys only.
    """
    try:
        return _parse(text, first_line)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + (mark.line if mark else 0)
        raise YamlRefused(line, f"not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, YamlRefused):
            raise
        raise YamlRefused(first_line, f"not YAML: {str(error) or 'nested too deeply'}") from error


def _parse(text: str, first_line: int) -> Document:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(None, {(): first_line})
        lines: dict[Path, int] = {}
        _refuse_bombs(node, first_line)
        _note_lines(node, (), first_line, lines)
        document = Document(loader.construct_document(node), lines)
    finally:
        loader.dispose()
    _refuse_non_json(document.value, (), document)
    return document


def _refuse_bombs(root: yaml.Node, first_line: int) -> None:
    """Count what the document would be with every alias written out, without writing it out."""
    sizes: dict[int, int] = {}
    _expanded(root, sizes, set(), first_line, 0)


def _expanded(
    node: yaml.Node, sizes: dict[int, int], above: set[int], first_line: int, depth: int
) -> int:
    if id(node) in sizes:
        return sizes[id(node)]
    line = first_line + node.start_mark.line
    if id(node) in above:
        raise YamlRefused(line, "an alias stands inside what it names")
    if depth > DEPTH_MAX:
        raise YamlRefused(line, f"nested deeper than {DEPTH_MAX} levels")
    above.add(id(node))
    size = 1 + sum(_expanded(c, sizes, above, first_line, depth + 1) for c in _children(node))
    above.discard(id(node))
    if size > NODES_MAX:
        raise YamlRefused(line, f"more than {NODES_MAX} values once aliases are written out")
    sizes[id(node)] = size
    return size


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _note_lines(node: yaml.Node, path: Path, first_line: int, lines: dict[Path, int]) -> None:
    lines[path] = first_line + node.start_mark.line
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(item, (*path, str(index)), first_line, lines)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = first_line + key.start_mark.line
            if not isinstance(key, yaml.ScalarNode):
                raise YamlRefused(line, "a key must be a word")
            if key.value in seen:
                raise YamlRefused(line, f"`{key.value}` is given twice")
            seen.add(key.value)
            _note_lines(value, (*path, key.value), first_line, lines)
            lines[(*path, key.value)] = line


def _refuse_non_json(value: Any, path: Path, document: Document) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                text = f"the key {key!r} is not a string: put it in quotes"
                raise YamlRefused(document.line(path), text)
            _refuse_non_json(item, (*path, key), document)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_non_json(item, (*path, str(index)), document)
    elif (trouble := _trouble(value)) is not None:
        raise YamlRefused(document.line(path), trouble)


def _trouble(value: Any) -> str | None:
    if value is None or isinstance(value, bool | str):
        return None
    if isinstance(value, int):
        return None if abs(value) <= SAFE_INTEGER else "an integer beyond 2^53 is not exact in JSON"
    if isinstance(value, float):
        return None if math.isfinite(value) else "a number must be finite"
    return f"{value} is read as a {type(value).__name__}: put it in quotes"
