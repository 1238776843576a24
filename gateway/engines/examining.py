"""What every engine refuses before anything of a ruleset is compiled, or reaches a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.domain.ruleset import Ruleset
from gateway.errors import PolicyInvalid
from gateway.policies.analysis import Analysis, analyse
from gateway.policies.rego.findings import Finding


async def examined(ruleset: Ruleset) -> Analysis:
    """The analysis of a ruleset without faults. Raises PolicyInvalid with all of them."""
    analysis = await asyncio.to_thread(analyse, ruleset.modules)
    if findings := [str(finding) for finding in faults(ruleset, analysis)]:
        raise PolicyInvalid(findings)
    return analysis


def faults(ruleset: Ruleset, analysis: Analysis) -> Iterator[Finding]:
    """The errors of the analysis, and those it cannot see: no verdict, data in the way."""
    yield from analysis.errors
    for rule in (rule for rule in ruleset.rules if rule.path in analysis.packages):
        kind = analysis.definitions.get(rule.package, {}).get("verdict")
        if kind is None:
            text = f"the rule {rule.id} says nothing: package {rule.package} defines no `verdict`"
            yield Finding(rule.path, 1, "no_verdict", text)
        elif kind != "set":
            text = "`verdict` is a set: write `verdict contains {...} if {...}`"
            yield Finding(rule.path, 1, "no_verdict", text)
    for package in sorted(set(analysis.packages.values())):
        if _is_in_the_way(ruleset.data, package.split(".")):
            text = f"policy data and the package {package} have the same name"
            yield Finding(_path_of(package, analysis), 1, "data_conflict", text)


def _is_in_the_way(data: Any, steps: Sequence[str]) -> bool:
    for step in steps:
        if not isinstance(data, dict):
            return True
        if step not in data:
            return False
        data = data[step]
    return True


def _path_of(package: str, analysis: Analysis) -> str:
    return next(path for path, found in analysis.packages.items() if found == package)
