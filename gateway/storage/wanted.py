"""What lists are filtered by. All that is given must hold."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from gateway.domain.facts import Fact, FactKind, cost_fact, decade

# Filters that are facts of a run, those that tend to be rare first: a list is read along its first.
_FACTS: Final[tuple[FactKind, ...]] = (
    "path",
    "digest",
    "mcp_server",
    "prompt_version",
    "approval",
    "attention",
    "model",
    "mcp_client",
    "side_effect",
)
# Facts of nearly every run: where the row says something rarer, its index is the better way.
_COMMON: Final = frozenset({"model", "mcp_client", "side_effect", "attention"})
ROW_FIELDS: Final = (
    "environment",
    "agent_id",
    "status",
    "parent_run_id",
    "started_after",
    "started_before",
)


class RunFilter(Struct, frozen=True):
    """Filters of the runs list. Times are RFC 3339 strings; `min_cost` is in minor units of
    `currency`. Those from `path` on are facts: what some event of the run said."""

    environment: str | None = None
    agent_id: str | None = None
    status: str | None = None
    parent_run_id: str | None = None
    started_after: str | None = None
    started_before: str | None = None
    min_cost: int | None = None
    currency: str = "USD"
    path: str | None = None
    digest: str | None = None
    mcp_server: str | None = None
    mcp_client: str | None = None
    model: str | None = None
    prompt_version: str | None = None
    approval: str | None = None
    attention: str | None = None
    side_effect: str | None = None

    @property
    def facts(self) -> list[Fact]:
        """The facts that a run must have, the one to go along first."""
        found: list[Fact] = [
            (kind, value) for kind in _FACTS if (value := getattr(self, kind)) is not None
        ]
        if self.min_cost:
            # All runs of that cost have reached the power of ten below it, and few others.
            found.insert(1, cost_fact(self.currency, decade(self.min_cost)))
        return found

    @property
    def along_fact(self) -> bool:
        """Whether the list is read along its first fact rather than along a column of the row."""
        facts = self.facts
        if not facts:
            return False
        by_row = self.agent_id or self.parent_run_id or self.status
        return not (by_row and facts[0][0] in _COMMON)


class ArtifactFilter(Struct, frozen=True):
    """Filters of the list of artifacts."""

    path: str | None = None
    digest: str | None = None
    run_id: str | None = None
    turn_id: str | None = None
    action_id: str | None = None
    agent_id: str | None = None
    access: str | None = None
