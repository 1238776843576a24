"""What an evaluator needs to answer some rules of a ruleset, and the module that asks them."""

from __future__ import annotations

import marshal
from collections import defaultdict
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from gateway.domain.ruleset import Ruleset
from gateway.policies.analysis import Analysis

ENTRY_PATH = "checkrein/entry.rego"
CLOCK = "with time.now_ns as to_number(input.time.ns)"

Module = tuple[str, str]


class Plan(Struct, frozen=True):
    """A ruleset as an evaluator sees it. `modules` is package -> (path, text), without tests.

    `base` is the number under which evaluators know its data; `reaches` is rule id -> packages.
    """

    base: int
    data: bytes
    packages: dict[str, str]
    reaches: dict[str, frozenset[str]]
    modules: dict[str, tuple[Module, ...]]

    def order(self, rules: Sequence[str]) -> bytes:
        """The payload that prepares an engine for these rules: what they need, and nothing else."""
        needed = sorted(frozenset[str]().union(*(self.reaches[rule] for rule in rules)))
        modules = [module for package in needed for module in self.modules.get(package, ())]
        asking = (ENTRY_PATH, entry([self.packages[rule] for rule in rules]))
        return marshal.dumps((self.base, len(rules), (*modules, asking)))


def plan(base: int, ruleset: Ruleset, analysis: Analysis) -> Plan:
    """The plan of a ruleset in which `examining` found no fault."""
    modules: dict[str, list[Module]] = defaultdict(list)
    for path, package in sorted(analysis.packages.items()):
        if not path.endswith("_test.rego"):
            modules[package].append((path, ruleset.modules[path]))
    return Plan(
        base=base,
        data=msgspec.json.encode(ruleset.data),
        packages={rule.id: rule.package for rule in ruleset.rules},
        reaches={rule.id: analysis.reaches(rule.package) for rule in ruleset.rules},
        modules={package: tuple(found) for package, found in modules.items()},
    )


def entry(packages: Sequence[str]) -> str:
    """A module whose `all` answers every rule in order, `rule_0` the first alone, and so on.

    The clock is the frame's: `time.now_ns()` keeps all 19 digits. `ready` needs nothing.
    """
    asked = "".join(f"\t\tdata.{package}.verdict,\n" for package in packages)
    lines = ["package checkrein.entry", "ready := true"]
    lines.append(f"all := answers if {{\n\tanswers := [\n{asked}\t] {CLOCK}\n}}")
    for number, package in enumerate(packages):
        asks = f"answer := data.{package}.verdict {CLOCK}"
        lines.append(f"rule_{number} := answer if {{\n\t{asks}\n}}")
    return "\n\n".join(lines) + "\n"
