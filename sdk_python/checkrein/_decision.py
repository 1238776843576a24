"""The gateway's reply: read strictly where it allows, leniently where it stops.

A reply that stops a call is obeyed even when the rest of it cannot be read, and a word for
`enforced` that this version does not know is a block (E4). Only a reply that is whole, and says
`allow`, `warn` or `modify`, lets a body run.
"""

from __future__ import annotations

from typing import Any

import msgspec

from checkrein._assessment import Assessment
from checkrein._http import Answer
from checkrein._trouble import Malformed, Refused, StoreAway, Trouble, Unreachable

RUNS = frozenset({"allow", "warn", "modify"})


class Reason(msgspec.Struct, frozen=True):
    """One rule's word; `enforced` is what of it is done here."""

    rule: str
    effect: str = ""
    enforced: str = ""
    reason: str = ""
    suggestion: str | None = None
    fields: tuple[str, ...] = ()


class Approval(msgspec.Struct, frozen=True):
    """The approval that a call waits for; `expires_at` is RFC 3339."""

    id: str
    url: str | None = None
    expires_at: str | None = None


class Decision(msgspec.Struct, frozen=True):
    """What the gateway said about a call. `enforced` alone is obeyed.

    `of_recorded_call`: in a simulation, a call made with other arguments than recorded is given the
    recorded call's decision. Nobody judged the changed one.
    """

    decision_id: str
    enforced: str
    run_id: str = ""
    action_id: str = ""
    seq: int | None = None
    verdict: str = ""
    mode: str = ""
    reasons: tuple[Reason, ...] = ()
    arguments: dict[str, Any] | None = None
    arguments_digest: str | None = None
    assessment: Assessment | None = None
    policy: dict[str, Any] | None = None
    approval: Approval | None = None
    degraded: tuple[str, ...] = ()
    durability: str = ""
    elapsed_ms: float = 0.0
    of_recorded_call: bool = False

    @property
    def reason(self) -> Reason | None:
        """The first reason that is behind what is done."""
        return next((reason for reason in self.reasons if reason.enforced == self.enforced), None)


class _Problem(msgspec.Struct):
    code: str = ""
    detail: str = ""
    fail_mode: str = ""


_whole = msgspec.json.Decoder(Decision)
_problem = msgspec.json.Decoder(_Problem)


def read(answer: Answer) -> Decision:
    """The decision in an answer. Raises `Trouble` when there is none."""
    if answer.status != 200:
        raise _no_decision(answer)
    try:
        loose = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Malformed("the reply was not JSON") from error
    enforced = loose.get("enforced") if isinstance(loose, dict) else None
    if not isinstance(enforced, str):
        raise Malformed("the reply had no `enforced`")
    try:
        return _decision(answer.body, loose)
    except (msgspec.DecodeError, RecursionError) as error:
        if enforced in {"allow", "warn"}:
            raise Malformed("the reply did not have the shape of a decision") from error
        return Decision(decision_id=str(loose.get("decision_id", ""))[:256], enforced=enforced)


def _decision(body: bytes, loose: dict[str, Any]) -> Decision:
    """The whole reply. An assessment that cannot be read is none: it decides nothing here."""
    try:
        return _whole.decode(body)
    except msgspec.ValidationError:
        if loose.get("assessment") is None:
            raise
        return msgspec.convert({**loose, "assessment": None}, Decision)


def _no_decision(answer: Answer) -> Trouble:
    try:
        problem = _problem.decode(answer.body)
    except (msgspec.DecodeError, RecursionError):
        problem = _Problem()
    status, said = answer.status, f"{answer.status} {problem.code}".strip()
    if status == 503 and problem.fail_mode in {"open", "closed"}:
        return StoreAway(said, open=problem.fail_mode == "open")
    if status == 401:
        hint = "Set CHECKREIN_API_KEY to a valid key: `checkrein keys create` makes one."
        return Refused(said, hint, status=status, code=problem.code)
    if status in {408, 429} or status >= 500:
        return Unreachable(f"the gateway answered {said}")
    if 400 <= status < 500:
        return Refused(f"{said} {problem.detail}"[:500], status=status, code=problem.code)
    return Malformed(f"the gateway answered {said}")
