"""Rulesets and frames for engine tests: Rego bodies in, values out."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from gateway.domain import canonical
from gateway.domain.rule_results import RuleResult
from gateway.domain.ruleset import Rule, Ruleset

NS = "1795176000123456789"

SAYS_BLOCK = 'verdict contains {"effect": "block", "reason": "no"} if input.action.tool'
SAYS_NOTHING = 'verdict contains {"effect": "block", "reason": "no"} if input.action.nothing'


def rule_of(rule_id: str, **fields: Any) -> Rule:
    return Rule(
        id=rule_id,
        package=f"rules.{rule_id}",
        path=f"rules/{rule_id}.rego",
        title=rule_id,
        tools=("*",),
        **fields,
    )


def ruleset(
    bodies: dict[str, str],
    data: dict[str, Any] | None = None,
    more: dict[str, str] | None = None,
) -> Ruleset:
    """One rule for each body, in a package `rules.<id>`; `more` are further modules, whole."""
    modules = {f"rules/{name}.rego": f"package rules.{name}\n{b}\n" for name, b in bodies.items()}
    modules |= more or {}
    content = msgspec.json.encode([modules, data], order="sorted")
    return Ruleset(
        digest=hashlib.sha256(content).hexdigest(),
        rules=tuple(rule_of(name) for name in bodies),
        environments={},
        data=data or {},
        modules=modules,
    )


def frame(arguments: dict[str, Any] | None = None, ns: str = NS, **more: Any) -> bytes:
    """A small frame's bytes."""
    action = {"tool": "stripe.refund", "arguments": arguments or {}}
    return canonical.encode({"action": action, "time": {"ns": ns}, **more})


def unworded(results: tuple[RuleResult, ...]) -> tuple[RuleResult, ...]:
    """The results without the engine's words for what failed, which differ between engines."""
    return tuple(msgspec.structs.replace(result, error=None) for result in results)
