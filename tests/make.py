"""Values with sensible defaults, every field overridable: what tests build their cases from."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.domain.check import ActionCheck
from gateway.domain.frame import Frame, FramePrior, FrameState
from gateway.domain.rule_results import Round, RuleResult, RuleVerdict
from gateway.domain.ruleset import Environment, Rule, Ruleset, ToolPolicy
from gateway.judging.framing import build

NOON_NS = 1_795_176_000_000_000_000  # 2026-11-20T12:00:00Z


class FixedAmbient:
    """Noon of a fixed day, and identifiers that count."""

    def __init__(self, now_ns: int = NOON_NS) -> None:
        self.now = now_ns
        self.count = 0

    def now_ns(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1e9

    def new_id(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count:032x}"

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000_000)


def check(
    tool: str = "stripe.refund", arguments: dict[str, Any] | None = None, **more: Any
) -> ActionCheck:
    """A check of one call; `more` are further top-level members of the body."""
    action = {"tool": tool, "arguments": arguments or {}, **more.pop("action", {})}
    return msgspec.convert({"action": action, **more}, ActionCheck)


def rule(rule_id: str = "refunds.limit", **fields: Any) -> Rule:
    defaults: dict[str, Any] = {
        "package": f"checkrein.{rule_id}",
        "path": f"rules/{rule_id}.rego",
        "title": rule_id,
        "tools": ("stripe.*",),
    }
    return Rule(id=rule_id, **{**defaults, **fields})


def ruleset(*rules: Rule, **fields: Any) -> Ruleset:
    """Rules under three environments: production blocks, staging warns, development logs."""
    environments = fields.pop("environments", None) or {
        "production": Environment(mode="block", fail={"*": "closed", "read": "open"}),
        "staging": Environment(mode="warn", fail={"*": "open"}),
        "development": Environment(mode="log", fail={"*": "open"}),
    }
    return Ruleset(digest="d" * 64, rules=rules, environments=environments, **fields)


def frame(
    rules: Ruleset,
    checked: ActionCheck | None = None,
    *,
    environment: str = "production",
    state: FrameState | None = None,
    prior: FramePrior | None = None,
    **more: Any,
) -> Frame:
    return build(
        checked or check(),
        rules,
        action_id="act_1",
        run_id="run_1",
        project_id="prj_1",
        environment=environment,
        now_ns=NOON_NS,
        state=state,
        prior=prior,
        **more,
    )


def says(rule_id: str, *effects: str, **fields: Any) -> RuleResult:
    """A rule's result with one verdict for each effect."""
    return RuleResult(
        rule=rule_id,
        verdicts=tuple(
            RuleVerdict(effect=effect, reason=f"{rule_id} says {effect}", **fields)  # type: ignore[arg-type]
            for effect in effects
        ),
    )


def round_of(*results: RuleResult) -> Round:
    return Round(results=results)


def payment_tool(**fields: Any) -> ToolPolicy:
    return msgspec.convert(
        {
            "match": "stripe.*",
            "side_effects": ["payment"],
            "amount": {"pointer": "/amount", "currency": "USD"},
            "recipients": ["/customer"],
            **fields,
        },
        ToolPolicy,
    )
