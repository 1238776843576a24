"""What happens to a call when a part of the system fails: the promise, as one pure function.

Journal and engine ask the functions that the check path and the judgement ask; what happens
where no gateway answers is the SDK's own choice, to which a test compares this. The table in the
README is rendered from here.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from msgspec import Struct

from gateway.domain.ruleset import Environment, failed_rule_verdict, journal_mode
from gateway.domain.verdicts import STOPPING, SideEffect, Verdict, cap

Part = Literal[
    "gateway", "engine", "journal", "journal and spool", "ledger", "intent", "approvals", "keys"
]
PARTS: Final[tuple[Part, ...]] = get_args(Part)
MEANINGS: Final[dict[Part, str]] = {
    "gateway": "the SDK reaches no gateway",
    "engine": "a rule cannot be evaluated",
    "journal": "the journal is away",
    "journal and spool": "the journal is away, and the spool is full",
    "ledger": "the ledger is away",
    "intent": "the intent assessor is away",
    "approvals": "nobody can decide approvals",
    "keys": "API keys cannot be read again",
}
# Where the SDK lets a call run that nobody could check, unless it is told otherwise.
LENIENT: Final = frozenset({"development", "staging"})


class Consequence(Struct, frozen=True):
    """`runs`: whether the call runs on account of the failure; None where that decides nothing.

    `status` is what the gateway answers, None when it does not. `told` says it to a person.
    """

    runs: bool | None
    status: int | None
    told: str


_JUDGED: Final = "judged as always"


def consequence(part: Part, name: str, environment: Environment, effect: SideEffect) -> Consequence:
    """What becomes of a call with this side effect in the environment of this name."""
    if part == "gateway":
        return _gap(name in LENIENT, None)
    if part == "engine":
        word = failed_rule_enforced(environment, effect)
        return Consequence(word not in STOPPING, 200, f"the rule counts as `{word}`")
    if part == "intent":
        word = failed_rule_enforced(environment, effect)
        return Consequence(
            word not in STOPPING,
            200,
            f"judged by the other rules; one that reads the assessment counts as `{word}`",
        )
    if part in ("journal", "journal and spool"):
        return _without_journal(environment, effect, spool=part == "journal")
    return _UNTOUCHED[part]


def failed_rule_enforced(environment: Environment, effect: SideEffect) -> Verdict:
    """What is enforced on account of a rule of stage `block` that failed."""
    return cap(failed_rule_verdict(environment, frozenset({effect})), environment.mode)


def _without_journal(environment: Environment, effect: SideEffect, *, spool: bool) -> Consequence:
    mode = journal_mode(environment, frozenset({effect}), spool=spool)
    if mode != "spool":
        return _gap(mode == "open", 503)
    word = failed_rule_enforced(environment, effect)
    return Consequence(
        word not in STOPPING,
        200,
        f"spooled; a rule that needs the run's state counts as `{word}`",
    )


def _gap(runs: bool, status: int | None) -> Consequence:
    said = f"{status}, " if status else ""
    return Consequence(runs, status, f"{said}runs, as a gap" if runs else f"{said}denied")


_UNTOUCHED: Final[dict[Part, Consequence]] = {
    "ledger": Consequence(
        None,
        200,
        f"{_JUDGED}, and history is late; for a named run that the journal does not hold, "
        "as without one",
    ),
    "approvals": Consequence(None, 200, f"{_JUDGED}; what waits is denied when it expires"),
    "keys": Consequence(None, 200, f"{_JUDGED}; known keys stay as they were"),
}
