"""A compiled, immutable policy version: everything that `policies/` says, as values.

Built by `gateway.policies`, read by judging. It holds no compiled engine: an engine is handed
`modules` and `data` and remembers the ruleset by its digest.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import force_setattr

from gateway.domain.globs import fits, make_ready
from gateway.domain.verdicts import (
    SIDE_EFFECTS,
    FailMode,
    Mode,
    SideEffect,
    Verdict,
    most_severe,
)

Severity = Literal["low", "medium", "high", "critical"]
JsonType = Literal["string", "number", "boolean", "array", "object"]
Scope = Literal["run", "agent", "user", "project"]
Window = Literal["run", "minute", "hour", "day", "month"]
Measure = Literal["spend", "calls"]
JournalMode = Literal["closed", "open", "spool"]


class CounterReads(Struct, frozen=True, tag="counter"):
    """A predicate that append checks again: the counter, `plus` this call, stays `at_most`.

    `counter` is a name of `RunState.counters` (`calls`, `spend:USD`, ...) or `budget:<name>`.
    """

    counter: str
    plus: int
    at_most: int


class LabelReads(Struct, frozen=True, tag="label"):
    """A predicate that append checks again: the run does not carry this label."""

    absent: str


Reads = CounterReads | LabelReads


class Rule(Struct, frozen=True):
    """One Rego package that adds to `verdict`.

    `given` are inputs without which it says nothing, and is not asked.
    """

    id: str
    package: str
    path: str
    title: str
    tools: tuple[str, ...]
    side_effects: tuple[SideEffect, ...] = ()
    severity: Severity = "medium"
    stage: Mode = "block"
    stages: dict[str, Mode] = {}
    reads: tuple[Reads, ...] = ()
    requires: dict[str, JsonType] = {}
    given: tuple[str, ...] = ()
    watches: bool = False
    needs: frozenset[str] = frozenset()

    def matches(self, tool: str, side_effects: frozenset[str]) -> bool:
        """Whether this rule is evaluated for a call of `tool` with these side effects."""
        if self.side_effects and side_effects.isdisjoint(self.side_effects):
            return False
        return any(fits(tool, glob) for glob in self.tools)

    def governs(self, tool: str, effect: str) -> bool:
        """Whether it is a rule *for* that side effect of such tools, not one that watches calls.

        A side effect that no rule governs falls to the environment's default, so a caller who
        claims one more gains nothing by it.
        """
        return not self.watches and (
            effect in self.side_effects
            or any(glob != "*" and fits(tool, glob) for glob in self.tools)
        )

    def stage_in(self, environment: str) -> Mode:
        return self.stages.get(environment, self.stage)


class AmountPointer(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a tool's arguments say how much. `unit` is the unit the argument is in."""

    pointer: str
    unit: Literal["minor", "major"] = "minor"
    currency: str | None = None
    currency_pointer: str | None = None


class ToolPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """What the policy knows about tools whose name matches `match`. The first match wins.

    `labels` are put on the run when a call of the tool is let through (`secret_read`, say).
    """

    match: str
    side_effects: tuple[SideEffect, ...] = ()
    amount: AmountPointer | None = None
    recipients: tuple[str, ...] = ()
    output_trusted: bool = True
    labels: tuple[str, ...] = ()


class Budget(Struct, frozen=True, forbid_unknown_fields=True):
    """A limit on what a run, an agent, a user or a project may spend or call within a window.

    `at_most` is in minor units of `currency` for `spend`, a count for `calls`. Windows other
    than `run` are fixed UTC windows of a shared counter.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern="^[a-z0-9_.-]+$")]
    at_most: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    measure: Measure = "spend"
    scope: Scope = "run"
    window: Window = "run"
    currency: str | None = None
    tools: tuple[str, ...] = ("*",)

    def covers(self, tool: str) -> bool:
        return _first_match(self.tools, tool) is not None


class Calibration(Struct, frozen=True, forbid_unknown_fields=True):
    """chance -> sigmoid(slope * log-odds + intercept), learnt from so many labels; or through a
    table of points, straight between them in log-odds."""

    slope: float = 1.0
    intercept: float = 0.0
    labels: int = 0
    points: tuple[tuple[float, float], ...] = ()


class ProjectIntent(Struct, frozen=True, forbid_unknown_fields=True):
    """What of the Intent Guard is a project's own: thresholds that go before the environment's,
    and by `score` or head how its chances are calibrated."""

    thresholds: dict[str, float] = field(default_factory=dict)
    calibration: dict[str, Calibration] = field(default_factory=dict)


class Environment(Struct, frozen=True, forbid_unknown_fields=True):
    """What an environment does.

    `defaults` and `fail` map a side effect, or `*`, to a verdict or a fail mode, `thresholds` to
    the score from which rules act on an assessment. `journal` is the fail mode when the hot store
    is away. `projects` has what is a project's own.
    """

    mode: Mode = "block"
    defaults: dict[str, Verdict] = field(default_factory=dict)
    fail: dict[str, FailMode] = field(default_factory=dict)
    journal: JournalMode = "closed"
    budgets: tuple[Budget, ...] = ()
    approval_seconds: Annotated[int, Meta(ge=1, le=30 * 86400)] = 3600
    thresholds: dict[str, float] = field(default_factory=dict)
    projects: dict[str, ProjectIntent] = field(default_factory=dict)

    def threshold(self, project_id: str, side_effects: Iterable[str]) -> float | None:
        """The strictest, which is the lowest, over the set of side effects; None without any."""
        own = self.projects.get(project_id)
        by_effect = {**self.thresholds, **own.thresholds} if own else self.thresholds
        fallback = by_effect.get("*")
        found = (by_effect.get(effect, fallback) for effect in tuple(side_effects) or _UNKNOWN)
        return min((each for each in found if each is not None), default=None)

    def calibration(self, project_id: str) -> dict[str, Calibration]:
        """The project's calibration by `score` or head, empty where it has none."""
        own = self.projects.get(project_id)
        return own.calibration if own else {}


# An environment that the policy does not name is treated like production.
STRICT = Environment(
    mode="block",
    defaults={
        "payment": "require_approval",
        "delete": "require_approval",
        "access": "require_approval",
        "deploy": "require_approval",
        "exec": "require_approval",
        "*": "allow",
    },
    fail={"*": "closed"},
)


class Ruleset(Struct, frozen=True):
    """One policy version. `modules` is path -> Rego text; `data` is what rules see as `data`."""

    digest: str
    rules: tuple[Rule, ...]
    environments: dict[str, Environment]
    tools: tuple[ToolPolicy, ...] = ()
    data: dict[str, Any] = {}
    modules: dict[str, str] = {}
    commit: str | None = None
    by_id: dict[str, Rule] = {}
    tool_globs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        force_setattr(self, "tool_globs", tuple(tool.match for tool in self.tools))
        force_setattr(self, "by_id", {rule.id: rule for rule in self.rules})
        make_ready(self.tool_globs)
        make_ready(glob for rule in self.rules for glob in rule.tools)

    def environment(self, name: str) -> Environment:
        return self.environments.get(name, STRICT)

    def tool(self, name: str) -> ToolPolicy | None:
        found = _first_match(self.tool_globs, name)
        return None if found is None else self.tools[found]

    def rule(self, rule_id: str) -> Rule:
        return self.by_id[rule_id]


@lru_cache(maxsize=8192)
def _first_match(globs: tuple[str, ...], name: str) -> int | None:
    """The place of the first glob that matches. Names come from agents, so few are remembered."""
    return next((place for place, glob in enumerate(globs) if fits(name, glob)), None)


_UNKNOWN: frozenset[str] = frozenset(SIDE_EFFECTS)


def default_verdict(environment: Environment, side_effects: frozenset[str]) -> Verdict:
    """The strictest default over the set of side effects."""
    fallback = environment.defaults.get("*", "allow")
    return most_severe(environment.defaults.get(effect, fallback) for effect in side_effects)


def journal_mode(
    environment: Environment, side_effects: frozenset[str], *, spool: bool
) -> JournalMode:
    """What a check means that the journal cannot remember. `spool`: whether one can, instead.

    Where the spool cannot take it either, it is as if the environment said `open`: the fail mode
    of the side effects decides.
    """
    if environment.journal == "closed":
        return "closed"
    if environment.journal == "spool" and spool:
        return "spool"
    return fail_mode(environment, side_effects)


def failed_rule_verdict(environment: Environment, side_effects: frozenset[str]) -> Verdict:
    """What a rule that could not be evaluated says."""
    return "block" if fail_mode(environment, side_effects) == "closed" else "warn"


def fail_mode(environment: Environment, side_effects: frozenset[str]) -> FailMode:
    """The strictest fail mode over the set; an environment that says nothing fails closed."""
    fallback = environment.fail.get("*", "closed")
    modes = {environment.fail.get(effect, fallback) for effect in side_effects or _UNKNOWN}
    return "closed" if "closed" in modes else "open"
