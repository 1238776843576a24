"""Policies: the version that judges now, and all that ever did."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.domain.ruleset import Rule, Ruleset, Severity
from gateway.domain.verdicts import Mode, SideEffect
from gateway.errors import Unavailable
from gateway.policies.rulebook import Refusal


class RuleView(Struct, frozen=True):
    """A rule, and its stage in each environment that the policy names."""

    id: str
    title: str
    severity: Severity
    tools: tuple[str, ...]
    side_effects: tuple[SideEffect, ...]
    stages: dict[str, Mode]


class ActivePolicy(Struct, frozen=True):
    """`modes` says what each environment does. `refused` is why a newer folder is not active."""

    digest: str
    commit: str | None
    modes: dict[str, Mode]
    rules: list[RuleView]
    refused: Refusal | None


class PolicyVersion(Struct, frozen=True):
    """A policy version: the digest of its files, the Git commit, when it was first active."""

    digest: str
    commit: str | None
    saved_at: str


class PolicyVersions(Struct, frozen=True):
    """Newest first."""

    versions: list[PolicyVersion]


async def _active(parts: Parts, _call: Call) -> Answer:
    ruleset = active_ruleset(parts)
    return Answer(
        ActivePolicy(
            digest=ruleset.digest,
            commit=ruleset.commit,
            modes={name: each.mode for name, each in ruleset.environments.items()},
            rules=[_view(rule, ruleset) for rule in ruleset.rules],
            refused=parts.rulebook.last_error,
        )
    )


def active_ruleset(parts: Parts) -> Ruleset:
    """The active ruleset. Raises Unavailable, which says why there is none."""
    ruleset = parts.rulebook.current()
    if ruleset is None:
        refused = parts.rulebook.last_error
        detail = "; ".join(refused.findings[:3]) if refused else ""
        raise Unavailable("policy_unavailable", detail, retry_after=1)
    return ruleset


def _view(rule: Rule, ruleset: Ruleset) -> RuleView:
    stages = {name: rule.stage_in(name) for name in ruleset.environments}
    return RuleView(rule.id, rule.title, rule.severity, rule.tools, rule.side_effects, stages)


async def _versions(parts: Parts, _call: Call) -> Answer:
    found = await parts.control.versions()
    return Answer(PolicyVersions([PolicyVersion(**version) for version in found]))


ACTIVE_POLICY: Final = Endpoint(
    _active,
    Operation(
        id="getActivePolicy",
        method="GET",
        path="/v1/policies/active",
        scope="read",
        summary="The policy that judges now",
        description="Its digest, the mode of each environment, and its rules with their stages.",
        reply=ActivePolicy,
        problems=("policy_unavailable",),
    ),
)

POLICY_VERSIONS: Final = Endpoint(
    _versions,
    Operation(
        id="listPolicyVersions",
        method="GET",
        path="/v1/policies/versions",
        scope="read",
        summary="All policy versions, newest first",
        description="Every version ever active is kept, so any decision can be judged again.",
        reply=PolicyVersions,
    ),
)
