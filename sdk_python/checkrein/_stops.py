"""What an agent is told when a call does not run: a reason, one next step, an id. No internals."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import quote

import msgspec

from checkrein import _runtime
from checkrein._call import Call
from checkrein._decision import Decision
from checkrein._errors import ApprovalRequired, Blocked, Halted
from checkrein._exchange import exchange
from checkrein._finding import finding
from checkrein._flow import drive
from checkrein._http import Outgoing
from checkrein._run import Run
from checkrein._trouble import Trouble

GENERIC = "This call was blocked and did not run. Do not try it again in the same way."
INEXACT = (
    "This call was not run: its arguments are too large or too deeply nested to be checked as a "
    "whole. Make the call with smaller arguments."
)
UNCHECKED = "This call could not be checked, so it was not run. Try again later."
TEXT_CHARS = 1000
GRANTS = 1000
Waiting = tuple[Callable[[], str], Callable[[], None]]


class _Approval(msgspec.Struct):
    status: str = "pending"


class Stop(Exception):
    """Carries the exception that ends a call past everything that handles failures."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


def error(runtime: _runtime.Runtime, call: Call, decision: Decision) -> BaseException:
    """The exception for a decision that stops a call; a word that is not known is a block (E4)."""
    return of(
        decision, call.run, lambda approval_id: _waiting(runtime, call, decision, approval_id)
    )


def of(decision: Decision, run: Run | None, waiting: Callable[[str], Waiting]) -> BaseException:
    """The same, with what answers for an approval: its status, and what to do once it is given."""
    if decision.enforced == "halt":
        message = f"This run was ended. {explained(decision)}"
        if run is not None:
            run.halt(message)
        return Halted(message, decision)
    if decision.enforced == "require_approval" and decision.approval is not None:
        message = f"This call waits for a person's approval. {explained(decision)}"
        return ApprovalRequired(message, decision, *waiting(decision.approval.id))
    return Blocked(f"This call was blocked. {explained(decision)}", decision)


def fallback(decision: Decision) -> BaseException:
    """The exception for such a decision when our own code failed to make the right one."""
    if decision.enforced == "halt":
        return Halted(GENERIC, decision)
    return Blocked(GENERIC, decision)


def text(decision: Decision) -> str:
    """The reason, the suggestion and the decision's id."""
    return _text(decision, "")


def explained(decision: Decision) -> str:
    """The same, with the argument or the sentence that speaks most against the call."""
    return _text(decision, finding(decision))


def _text(decision: Decision, found: str) -> str:
    reason = decision.reason
    words = [reason.reason, found, reason.suggestion or ""] if reason else [GENERIC, found]
    said = " ".join(_line(word) for word in words if word)
    return f"{said} (decision {_line(decision.decision_id)})"


def _waiting(
    runtime: _runtime.Runtime, call: Call, decision: Decision, approval_id: str
) -> Waiting:
    key = call.grant_key()

    def status() -> str:
        return approval_status(runtime, approval_id)

    def granted() -> None:
        if len(runtime.granted) >= GRANTS:
            runtime.granted.pop(next(iter(runtime.granted)))
        runtime.granted[key] = (decision.run_id, call.action_id, approval_id)

    return status, granted


def approval_status(runtime: _runtime.Runtime, approval_id: str) -> str:
    """pending, approved, denied or expired; pending while the gateway cannot be asked."""
    outgoing = Outgoing("GET", f"/v1/approvals/{quote(approval_id, safe='')}")
    deadline = time.monotonic() + 5.0
    try:
        answer = drive(exchange(runtime.wire, runtime.breaker, outgoing, deadline))
        if answer.status != 200:
            return "pending"
        return msgspec.json.decode(answer.body, type=_Approval).status
    except (Trouble, msgspec.DecodeError):
        return "pending"


def _line(words: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in words)
    return shown[:TEXT_CHARS]
