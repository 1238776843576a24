"""What each rule of a module reads and calls, with local names resolved as Rego scopes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.policies.rego.findings import Path, RuleKind
from gateway.policies.rego.syntax import (
    ANY,
    Node,
    head_path,
    kind_of,
    line_of,
    package_of,
    steps,
    text_of,
    variables,
)

# A local name, and the reference it stands for where that is known: ("input", "action").
Scope = Mapping[str, Path | None]


class Call(NamedTuple):
    """A call. `target` is the path of a rule in `data`; None means a built-in."""

    name: str
    target: Path | None
    line: int
    arguments: list[Node]


class RuleFacts(NamedTuple):
    """One rule as written. `path` begins with the package; `refs` with `input` or `data`.

    `operations` are what engines may read differently: arithmetic, comparisons, iterations.
    """

    path: Path
    kind: RuleKind
    line: int
    refs: list[tuple[Path, int]]
    calls: list[Call]
    operations: list[tuple[str, Node]]


class Module(NamedTuple):
    """A parsed module. `names` are the first steps of the rules it defines."""

    path: str
    tree: Node
    source: bytes
    package: Path
    names: frozenset[str]


def outline(path: str, tree: Node, text: str) -> Module:
    """What must be known of all modules before any of them is read."""
    names = frozenset(head_path(_head(rule)[1])[0] for rule in tree["rules"])
    return Module(path, tree, text.encode(), package_of(tree), names)


def read(module: Module, names: frozenset[str]) -> list[RuleFacts]:
    """The rules of a module. `names` are those of its package, from all of its modules."""
    roots: dict[str, Path] = {"input": ("input",), "data": ("data",)}
    roots |= {name: ("data", *module.package, name) for name in names}
    for item in module.tree["imports"]:
        root, path, _ = steps(item["refr"])
        target = (root["Var"]["value"], *path)
        if target[0] in {"input", "data"}:
            alias = text_of(item["as"], module.source) if item.get("as") else target[-1]
            roots[alias] = target
    return [_Reader(module, roots).read(rule) for rule in module.tree["rules"]]


def _head(rule: Node) -> tuple[RuleKind, Node]:
    if "Default" in rule:
        return "value", rule["Default"]["refr"]
    kind = kind_of(rule["Spec"]["head"])
    kinds: dict[str, RuleKind] = {"Set": "set", "Func": "function"}
    return kinds.get(kind, "value"), rule["Spec"]["head"][kind]["refr"]


class _Reader:
    """Walks one rule and collects what it meets."""

    def __init__(self, module: Module, roots: Mapping[str, Path]) -> None:
        self._source = module.source
        self._package = module.package
        self._roots = roots
        self._refs: list[tuple[Path, int]] = []
        self._calls: list[Call] = []
        self._operations: list[tuple[str, Node]] = []

    def read(self, rule: Node) -> RuleFacts:
        kind, refr = _head(rule)
        body = rule.get("Spec") or rule["Default"]
        if "Default" in rule:
            self._walk(body["value"], {})
        else:
            self._spec(body)
        path = (*self._package, *head_path(refr))
        return RuleFacts(path, kind, line_of(body), self._refs, self._calls, self._operations)

    def _spec(self, spec: Node) -> None:
        head = next(iter(spec["head"].values()))
        arguments: dict[str, Path | None] = dict.fromkeys(variables(head.get("args", [])))
        everything: dict[str, Path | None] = dict(arguments)
        for body in spec["bodies"]:
            scope = self._query(body["query"], arguments)
            self._walk(body["assign"], scope)
            everything |= scope
        for index in steps(head["refr"])[2]:
            self._walk(index, everything)
        self._walk([head.get("key"), head.get("assign")], everything)

    def _query(self, query: Node, outer: Scope) -> Scope:
        scope = dict(outer)
        for statement in query["stmts"]:
            self._declare(statement["literal"], scope)
        for statement in query["stmts"]:
            self._literal(statement["literal"], scope)
            for replaced in statement.get("with_mods", ()):
                self._walk(replaced["as"], scope)
        return scope

    def _declare(self, literal: Node, scope: dict[str, Path | None]) -> None:
        kind = kind_of(literal)
        body = literal[kind]
        if kind == "SomeVars":
            scope |= {text_of(span, self._source): None for span in body["vars"]}
        elif kind == "SomeIn":
            scope |= dict.fromkeys(variables([body["key"], body["value"]]))
            if (name := _name(body["value"])) and (
                known := self._resolve(body["collection"], scope)
            ):
                scope[name] = (*known, ANY)
        elif assigned := _assignment(literal):
            known = self._resolve(assigned["rhs"], scope)
            scope |= dict.fromkeys(variables(assigned["lhs"]))
            if name := _name(assigned["lhs"]):
                scope[name] = known

    def _literal(self, literal: Node, scope: Scope) -> None:
        kind = kind_of(literal)
        body = literal[kind]
        if kind == "Every":
            inner = dict(scope)
            names = [text_of(span, self._source) for span in (body["key"], body["value"]) if span]
            known = self._resolve(body["domain"], scope)
            inner |= dict.fromkeys(names) | {names[-1]: (*known, ANY) if known else None}
            self._source_of(names[-1], body["domain"], inner, scope)
            self._query(body["query"], inner)
        elif kind == "SomeIn":
            known = self._resolve(body["collection"], scope)
            self._operations.append((kind, {"span": body["span"], "over": known or ()}))
            self._source_of(_name(body["value"]), body["collection"], scope, scope)
        elif assigned := _assignment(literal):
            self._source_of(_name(assigned["lhs"]), assigned["rhs"], scope, scope)
        else:
            self._walk(body, scope)

    def _source_of(self, name: str | None, node: Node, names: Scope, scope: Scope) -> None:
        """A part of the input that gets a name counts where the name is used."""
        stands_for = names.get(name) if name else None
        if stands_for and stands_for[0] == "input":
            self._walk(steps(node)[2], scope)
        else:
            self._walk(node, scope)

    def _walk(self, node: Any, scope: Scope) -> None:
        if isinstance(node, list):
            for item in node:
                self._walk(item, scope)
            return
        kind = kind_of(node)
        if kind in {"Var", "RefDot", "RefBrack"}:
            self._reference(node, scope)
        elif kind == "Call":
            self._call(node["Call"], scope)
        elif kind in {"ArrayCompr", "SetCompr", "ObjectCompr"}:
            body = node[kind]
            inner = self._query(body["query"], scope)
            self._walk([body.get("term"), body.get("key"), body.get("value")], inner)
        elif isinstance(node, dict):
            if kind in {"ArithExpr", "BoolExpr"}:
                self._operations.append((kind, node[kind]))
            for value in node.values():
                self._walk(value, scope)

    def _reference(self, node: Node, scope: Scope) -> None:
        root, _, indexes = steps(node)
        if path := self._resolve(node, scope):
            self._refs.append((path, line_of(node[kind_of(node)])))
        elif kind_of(root) != "Var":
            self._walk(root, scope)
        self._walk(indexes, scope)

    def _call(self, call: Node, scope: Scope) -> None:
        root, path, _ = steps(call["fcn"])
        name = ".".join((root["Var"]["value"], *path))
        target = self._resolve(call["fcn"], scope)
        if target:
            self._refs.append((target, line_of(call)))
        self._calls.append(
            Call(name, target, line_of(call["fcn"][kind_of(call["fcn"])]), call["params"])
        )
        self._walk(call["params"], scope)

    def _resolve(self, node: Node, scope: Scope) -> Path | None:
        """The reference as a path from `input` or `data`; None when it is neither."""
        root, path, _ = steps(node)
        if kind_of(root) != "Var":
            return None
        name = root["Var"]["value"]
        base = scope[name] if name in scope else self._roots.get(name)
        return (*base, *path) if base else None


def _assignment(literal: Node) -> Node | None:
    """The body of `x := y`."""
    expression = literal["Expr"]["expr"] if "Expr" in literal else {}
    body: Node = expression.get("AssignExpr", {})
    return body if body.get("op") == "ColEq" else None


def _name(pattern: Any) -> str | None:
    """The one variable that a pattern is, unless it is the one nobody can use."""
    name = pattern["Var"]["value"] if kind_of(pattern) == "Var" else "_"
    return None if name == "_" else name
