"""Rules that need themselves: one engine refuses them, the other's process ends over them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from gateway.policies.rego.findings import Path
from gateway.policies.rego.reading import RuleFacts
from gateway.policies.rego.syntax import until_any


def cycles(rules: Sequence[RuleFacts]) -> list[tuple[Path, ...]]:
    """Each way in which rules lead back to themselves, as the paths along it; found once each."""
    return _search(_graph(rules))


def _graph(rules: Sequence[RuleFacts]) -> dict[Path, list[Path]]:
    """Which rules each rule needs.

    A reference needs every rule whose name begins with it, or with which it begins: `data.a` needs
    `data.a.b`, and `data.a.b.c` needs `data.a.b`. Past a variable step, any.
    """
    paths = {rule.path for rule in rules}
    below: dict[Path, set[Path]] = defaultdict(set)
    for path in paths:
        for length in range(len(path) + 1):
            below[path[:length]].add(path)
    graph: dict[Path, set[Path]] = {path: set() for path in paths}
    for rule in rules:
        for ref, _ in rule.refs:
            if ref[0] == "data":
                target = until_any(ref[1:])
                graph[rule.path] |= below.get(target, set())
                graph[rule.path] |= {target[:n] for n in range(len(target)) if target[:n] in paths}
    return {path: sorted(needed) for path, needed in sorted(graph.items())}


def _search(graph: Mapping[Path, Sequence[Path]]) -> list[tuple[Path, ...]]:
    """Depth first, with a stack of its own: a chain of rules may be longer than Python's."""
    found: list[tuple[Path, ...]] = []
    done: set[Path] = set()
    for start in graph:
        if start in done:
            continue
        trail = [start]
        on_trail = {start}
        waiting = [iter(graph[start])]
        while waiting:
            following = next(waiting[-1], None)
            if following is None:
                waiting.pop()
                done.add(trail[-1])
                on_trail.discard(trail.pop())
            elif following in on_trail:
                found.append((*trail[trail.index(following) :], following))
            elif following not in done:
                trail.append(following)
                on_trail.add(following)
                waiting.append(iter(graph[following]))
    return found
