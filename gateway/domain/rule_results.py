"""What an engine said about a frame, rule by rule. An engine's failure is a result too."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from gateway.domain.verdicts import Verdict


class RuleVerdict(Struct, frozen=True, omit_defaults=True):
    """One element of a rule's `verdict` set.

    `patch` is RFC 6902 (`add`, `replace`, `remove`); its paths begin with `/action/arguments/`.
    """

    effect: Verdict
    reason: str
    suggestion: str | None = None
    fields: tuple[str, ...] = ()
    patch: tuple[dict[str, Any], ...] = ()


Failure = Literal["error", "timeout", "crash", "unavailable", "malformed", "unassessed"]


class RuleResult(Struct, frozen=True, omit_defaults=True):
    """`verdicts` is sorted canonically. A rule that failed has `failure` and no verdicts;
    `unassessed` is one that reads the assessment when the assessor failed.

    `missing` names the inputs that METADATA requires and the frame lacks: such a rule was not
    evaluated. `error` tells the rule's author what failed and where, in the engine's words: no
    decision depends on it, and it can hold what an agent wrote.
    """

    rule: str
    verdicts: tuple[RuleVerdict, ...] = ()
    failure: Failure | None = None
    missing: tuple[str, ...] = ()
    error: str | None = None


class Round(Struct, frozen=True, omit_defaults=True):
    """All applicable rules' results about one form of the arguments, in order of rule id.

    `assessment` is of the second round alone: what the Intent Guard says of the changed arguments.
    `unassessed` when it failed there. The first round's is in the frame.
    """

    results: tuple[RuleResult, ...]
    assessment: dict[str, Any] | None = None
    unassessed: bool = False


class EngineInfo(Struct, frozen=True):
    """Which engine answered: name, version and digest of its capabilities."""

    name: str
    version: str
    capabilities: str
