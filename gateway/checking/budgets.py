"""Budgets as a check sees them: which counters they are, and what this call would add."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from msgspec import Struct

from gateway.domain.frame import FrameAmount, FrameBudget
from gateway.domain.ruleset import Budget, Environment
from gateway.storage.ports import Reserve

_WINDOW_FORMATS = {
    "minute": "%Y-%m-%dT%H:%M",
    "hour": "%Y-%m-%dT%H",
    "day": "%Y-%m-%d",
    "month": "%Y-%m",
}


class Covering(Struct, frozen=True):
    """A budget that covers a call. `missing` when the call's amount in its currency is unknown."""

    budget: Budget
    key: str
    missing: bool

    def reserve(self, amount: FrameAmount | None) -> int:
        """What a call of this amount takes; a negative amount gives nothing back."""
        if self.budget.measure == "calls":
            return 1
        if amount is None or self.missing:
            return 0
        return max(amount.value, 0)


def covering(
    environment: Environment,
    tool: str,
    amount: FrameAmount | None,
    *,
    environment_name: str,
    run_id: str,
    agent_id: str | None,
    user_id: str | None,
    now_ns: int,
) -> tuple[Covering, ...]:
    """The budgets of this environment that cover the call.

    A spend budget in another currency covers the call only, as `missing`, when no budget is in
    the call's own: money that no budget counts must not pass unseen.
    """
    subjects = {"run": run_id, "agent": agent_id or "", "user": user_id or "", "project": ""}
    found = [budget for budget in environment.budgets if budget.covers(tool)]
    currency = amount.currency if amount else None
    counted = any(b.measure == "spend" and _currency(b) == currency for b in found)
    chosen: list[Covering] = []
    for budget in found:
        missing = budget.measure == "spend" and _currency(budget) != currency
        if missing and counted:
            continue
        key = _key(budget, environment_name, subjects[budget.scope], now_ns)
        chosen.append(Covering(budget, key, missing))
    return tuple(chosen)


def wishes(covering_: tuple[Covering, ...], amount: FrameAmount | None) -> tuple[Reserve, ...]:
    return tuple(Reserve(each.key, each.reserve(amount)) for each in covering_)


def framed(
    covering_: tuple[Covering, ...], used: Mapping[str, int], own: Mapping[str, int]
) -> list[FrameBudget]:
    """The budgets as rules see them: without `own`, which this decision gives back."""
    return [
        FrameBudget(
            name=each.budget.name,
            scope=each.budget.scope,
            window=each.budget.window,
            measure=each.budget.measure,
            currency=_currency(each.budget),
            used=used.get(each.key, 0) - own.get(each.key, 0),
            at_most=each.budget.at_most,
            missing=each.missing,
        )
        for each in covering_
    ]


def _currency(budget: Budget) -> str | None:
    return budget.currency.upper() if budget.currency else None


def _key(budget: Budget, environment: str, subject: str, now_ns: int) -> str:
    """`name|environment|scope=subject|window`, with the window's start in UTC."""
    begins = "run"
    if budget.window != "run":
        moment = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
        begins = moment.strftime(_WINDOW_FORMATS[budget.window])
    # Keys stand in hashed bytes, which hold ASCII keys only.
    return f"{budget.name}|{environment}|{budget.scope}={quote(subject)}|{begins}"
