"""Checkrein for Python: have an agent's tool calls checked before they run.

    from checkrein import guard, plan, run

    @guard("stripe.refund", side_effects=["payment"])
    def refund(customer: str, amount: int, currency: str) -> str: ...

    with run("support", request="refund order 9281"):
        plan(answer)  # what the model proposes: text, or its tool calls
        refund("cus_9281", 4500, "usd")

Settings come from the environment (CHECKREIN_URL, CHECKREIN_API_KEY, ...); `init()` is optional.
"""

from checkrein._asked import plan, request
from checkrein._assessment import Assessment, Coverage, Heads, Signal
from checkrein._calling import calling
from checkrein._decision import Approval, Decision, Reason
from checkrein._errors import (
    ApprovalDenied,
    ApprovalRequired,
    Blocked,
    CheckreinError,
    Halted,
    Unavailable,
)
from checkrein._guard import guard
from checkrein._record import (
    observe,
    record_artifact,
    record_feedback,
    record_handoff,
    record_message,
    record_model_call,
    record_retry,
    record_shared_state,
    record_verification,
    retrieved,
)
from checkrein._run import Run, current_run, flush, run
from checkrein._runtime import init, stats
from checkrein._simulate import simulate
from checkrein._version import __version__
from checkrein.clients import Price, wrap_anthropic, wrap_openai

__all__ = [
    "Approval",
    "ApprovalDenied",
    "ApprovalRequired",
    "Assessment",
    "Blocked",
    "CheckreinError",
    "Coverage",
    "Decision",
    "Halted",
    "Heads",
    "Price",
    "Reason",
    "Run",
    "Signal",
    "Unavailable",
    "__version__",
    "calling",
    "current_run",
    "flush",
    "guard",
    "init",
    "observe",
    "plan",
    "record_artifact",
    "record_feedback",
    "record_handoff",
    "record_message",
    "record_model_call",
    "record_retry",
    "record_shared_state",
    "record_verification",
    "request",
    "retrieved",
    "run",
    "simulate",
    "stats",
    "wrap_anthropic",
    "wrap_openai",
]
