"""`checkrein policy check`: everything that is wrong with a policy folder, and what looks wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct

from gateway.domain.ruleset import Rule, Ruleset
from gateway.errors import PolicyInvalid
from gateway.policies import globs, golden, load, manifest, source
from gateway.policies.load import Examined
from gateway.policies.shapes import Mistake

# An author who has looked at a warning says so, in the line above: `# portable: ASCII only`.
LOOKED_AT = "# portable:"
# Tools that only read or fetch need no rule of their own to be worth listing.
HARMLESS = frozenset({"read", "network"})


class Report(Struct, frozen=True):
    """Errors forbid the policy, warnings do not. `ruleset` is there when there is no error."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    ruleset: Ruleset | None = None
    files: dict[str, str] = {}

    @property
    def findings(self) -> tuple[str, ...]:
        """All lines for a person, errors first."""
        return (
            *(f"error: {text}" for text in self.errors),
            *(f"warning: {text}" for text in self.warnings),
        )


def check(folder: Path) -> Report:
    """Examine a folder without running anything of it. Never raises for what it holds."""
    try:
        read = source.read(folder)
    except PolicyInvalid as invalid:
        return Report(tuple(invalid.findings), ())
    examined = load.examine(read.files, read.commit)
    _, case_findings = golden.read(read.files)
    errors = (*examined.errors, *case_findings)
    warnings = (*_unseen(examined.warnings, read.files), *_doubts(examined))
    return Report(errors, warnings, None if errors else examined.ruleset, read.files)


def _unseen(warnings: tuple[str, ...], files: Mapping[str, str]) -> Iterator[str]:
    """Warnings that nobody has looked at yet."""
    for warning in warnings:
        path, _, rest = warning.partition(":")
        line = rest.partition(":")[0]
        above = files.get(path, "").split("\n")[: int(line) if line.isdecimal() else 0]
        if not any(LOOKED_AT in text for text in above[-2:]):
            yield warning


def _doubts(examined: Examined) -> Iterator[str]:
    """What is allowed and probably not meant."""
    written, document, ruleset = examined.manifest, examined.document, examined.ruleset
    if written is None or document is None:
        return
    mistakes: list[Mistake] = []
    if ruleset is not None:
        mistakes += _tool_doubts(ruleset)
        mistakes += _budget_doubts(ruleset)
        for rule in ruleset.rules:
            yield from _rule_doubts(rule, ruleset)
    for mistake in mistakes:
        yield manifest.located(document, mistake)


def _tool_doubts(ruleset: Ruleset) -> Iterator[Mistake]:
    for index, tool in enumerate(ruleset.tools):
        name, place = globs.example(tool.match), ("tools", str(index))
        earlier = next((t.match for t in ruleset.tools[:index] if fnmatchcase(name, t.match)), None)
        if earlier is not None:
            yield Mistake(place, f"`{tool.match}` never counts: `{earlier}` stands before it")
        governed = any(globs.overlap(tool.match, g) for r in ruleset.rules for g in _own(r))
        if not governed and set(tool.side_effects) - HARMLESS:
            text = f"no rule is for `{tool.match}`: the environment's defaults decide"
            yield Mistake(place, text)


def _budget_doubts(ruleset: Ruleset) -> Iterator[Mistake]:
    """Budgets of spend over listed tools none of which says where its amount stands."""
    for name, environment in ruleset.environments.items():
        for index, budget in enumerate(environment.budgets):
            covered = [
                tool
                for tool in ruleset.tools
                if any(globs.overlap(tool.match, glob) for glob in budget.tools)
            ]
            if budget.measure == "spend" and covered and not any(t.amount for t in covered):
                text = f"no tool that `{budget.name}` covers has an `amount`: it can count nothing"
                yield Mistake(("environments", name, "budgets", str(index)), text)


def _rule_doubts(rule: Rule, ruleset: Ruleset) -> Iterator[str]:
    """A rule for exactly named tools whose side effects the policy says are others."""
    if not rule.side_effects or any(char in glob for glob in rule.tools for char in "*?["):
        return
    known = [ruleset.tool(name) for name in rule.tools]
    effects = {e for tool in known if tool for e in tool.side_effects}
    if all(known) and effects and effects.isdisjoint(rule.side_effects):
        wanted = ", ".join(rule.side_effects)
        yield f"{rule.path}:1: {rule.id} never matches: its tools have none of {wanted}"


def _own(rule: Rule) -> list[str]:
    """The globs by which a rule is for certain tools, rather than watching all."""
    return [glob for glob in rule.tools if glob != "*"]
