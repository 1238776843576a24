"""From syntax trees to findings and facts: pure, and the same in every process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gateway.policies.rego.builtins import ALLOWED, why_forbidden
from gateway.policies.rego.findings import Analysis, Finding, Path, RuleKind
from gateway.policies.rego.portable import remarks
from gateway.policies.rego.reading import Call, Module, RuleFacts, outline, read
from gateway.policies.rego.recursion import cycles
from gateway.policies.rego.syntax import Node, line_of, until_any

# `checkrein` is where the gateway's own entry module lives, `system` where OPA keeps its settings.
RESERVED = frozenset({"checkrein", "system"})
TEST_SUFFIX = "_test.rego"


def examine(trees: Mapping[str, tuple[Node, str]]) -> Analysis:
    """Examine parsed modules: path -> (regorus' tree, its text)."""
    modules = [outline(path, tree, text) for path, (tree, text) in sorted(trees.items())]
    names: dict[Path, frozenset[str]] = defaultdict(frozenset)
    for module in modules:
        names[module.package] |= module.names
    facts = [(module, read(module, names[module.package])) for module in modules]
    shipped = [(module, rules) for module, rules in facts if not module.path.endswith(TEST_SUFFIX)]
    return Analysis(
        findings=tuple(
            sorted(
                {
                    *_of_packages(modules),
                    *_of_calls(facts),
                    *_of_cycles(facts),
                    *_of_kinds(shipped),
                    *_of_portability(shipped),
                }
            )
        ),
        packages={module.path: ".".join(module.package) for module in modules},
        input_paths=_input_paths(shipped),
        imports=_imports(shipped),
        definitions=_definitions(shipped),
    )


Facts = Iterable[tuple[Module, Sequence[RuleFacts]]]


def _of_packages(modules: Iterable[Module]) -> Iterator[Finding]:
    for module in modules:
        line = line_of(module.tree["package"])
        if module.package[0] in RESERVED:
            text = f"packages below `{module.package[0]}` belong to the engine"
            yield Finding(module.path, line, "reserved_package", text)
        if not all(step.isidentifier() and step.isascii() for step in module.package):
            text = "the name of a package is made of letters, digits and underscores"
            yield Finding(module.path, line, "package_name", text)


def _of_calls(facts: Facts) -> Iterator[Finding]:
    facts = list(facts)
    defined = {rule.path for _, rules in facts for rule in rules}
    for module, rules in facts:
        for call in (call for rule in rules for call in rule.calls):
            if fault := _fault(call, defined):
                yield Finding(module.path, call.line, *fault)


def _fault(call: Call, defined: set[Path]) -> tuple[str, str] | None:
    if reason := why_forbidden(call.name):
        return "forbidden_builtin", f"{call.name} {reason}"
    if call.target is None and call.name not in ALLOWED:
        return "unknown_function", f"there is no function {call.name}"
    if call.target is not None and call.target[1:] not in defined:
        return "unknown_function", f"there is no function {'.'.join(call.target)}"
    return None


def _of_cycles(facts: Facts) -> Iterator[Finding]:
    places = {rule.path: (module.path, rule.line) for module, rules in facts for rule in rules}
    for cycle in cycles([rule for _, rules in facts for rule in rules]):
        way = " -> ".join(".".join(path) for path in cycle)
        yield Finding(*places[cycle[0]], "recursion", f"a rule may not need itself: {way}")


def _of_kinds(facts: Facts) -> Iterator[Finding]:
    """Engines notice only when they evaluate: too late, and in one tool's checks alone."""
    first: dict[Path, RuleFacts] = {}
    for module, rules in facts:
        for rule in rules:
            other = first.setdefault(rule.path, rule)
            if other.kind != rule.kind:
                text = f"{'.'.join(rule.path)} is a {rule.kind}, and elsewhere a {other.kind}"
                yield Finding(module.path, rule.line, "conflict", text)


def _of_portability(facts: Facts) -> Iterator[Finding]:
    for module, rules in facts:
        for rule in rules:
            for line, code, text in remarks(rule):
                yield Finding(module.path, line, code, text, "warning")


def _input_paths(facts: Facts) -> dict[str, frozenset[Path]]:
    paths: dict[str, set[Path]] = defaultdict(set)
    for module, rules in facts:
        read_here = (ref for rule in rules for ref, _ in rule.refs if ref[0] == "input")
        paths[".".join(module.package)].update(ref[1:] for ref in read_here)
    return {package: frozenset(found) for package, found in paths.items()}


def _imports(facts: Facts) -> dict[str, frozenset[str]]:
    facts = list(facts)
    packages = {module.package for module, _ in facts}
    below: dict[Path, set[Path]] = defaultdict(set)
    for package in packages:
        for length in range(len(package) + 1):
            below[package[:length]].add(package)
    found: dict[Path, set[Path]] = {package: set() for package in packages}
    for module, rules in facts:
        for ref in (ref for rule in rules for ref, _ in rule.refs if ref[0] == "data"):
            target = until_any(ref[1:])
            found[module.package] |= below.get(target, set())
            found[module.package] |= {
                target[:n] for n in range(len(target)) if target[:n] in packages
            }
    return {
        ".".join(package): frozenset(".".join(other) for other in others if other != package)
        for package, others in found.items()
    }


def _definitions(facts: Facts) -> dict[str, dict[str, RuleKind]]:
    found: dict[str, dict[str, RuleKind]] = defaultdict(dict)
    for module, rules in facts:
        for rule in rules:
            name = ".".join(rule.path[len(module.package) :])
            found[".".join(module.package)].setdefault(name, rule.kind)
    return dict(found)
