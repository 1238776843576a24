"""What OPA understood of a module: read back, every reference to data must lie below the prefix.

OPA shows its compiled tree, in which imports and local names are resolved. A reference that was
overlooked when the module was moved would be undefined, and a rule that needs it silent for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from gateway.engines.opa.client import NO_JSON


class _Module(Struct, frozen=True):
    raw: str
    ast: dict[str, Any]


class _Reply(Struct, frozen=True):
    result: _Module


def fault(reply: bytes, text: str, prefix: tuple[str, ...]) -> str | None:
    """What is wrong with the module that OPA shows; None when it is the one that was pushed."""
    try:
        module = msgspec.json.decode(reply, type=_Reply).result
    except NO_JSON:
        return "OPA does not show the module that was pushed"
    if module.raw != text:
        return "OPA shows another module than the one that was pushed"
    package = module.ast.get("package", {}).get("path", [])
    for steps in [_steps(package), *_references(module.ast.get("rules", []))]:
        if tuple(steps[: len(prefix)]) != prefix:
            shown = ".".join(["data", *("*" if step is None else str(step) for step in steps)])
            return f"OPA reads {shown} here, which no policy can mean"
    return None


def _references(tree: Any) -> Iterator[list[Any]]:
    """The steps after `data` of each reference to it.

    Not recursive: how deep a tree goes is up to whoever wrote the module.
    """
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            if node.get("type") == "ref" and node["value"] and _is_data(node["value"][0]):
                yield _steps(node["value"])
                waiting += node["value"][1:]
            elif _is_data(node):
                yield []
            else:
                waiting += node.values()


def _steps(path: list[dict[str, Any]]) -> list[Any]:
    """The constant text in each step; None for a step that is anything else."""
    return [step.get("value") if step.get("type") == "string" else None for step in path[1:]]


def _is_data(node: dict[str, Any]) -> bool:
    return node.get("type") == "var" and node.get("value") == "data"
