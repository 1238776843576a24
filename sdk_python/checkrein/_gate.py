"""Whether a guarded body runs. Everything that could go wrong on the way ends here.

The order of things is the safety:

1. the fail mode is known before anything is asked;
2. whatever our own code raises while asking, or while understanding the answer, leads to the fail
   mode (E2); `BaseException`s, cancellation among them, simply leave, and nothing runs;
3. once a reply says that a call is stopped, no failure afterwards can turn that into running (E1);
4. right before the body the arguments are compared with those that were checked (E3).
"""

from __future__ import annotations

import inspect
import logging
import time
from typing import Any

from checkrein import _canonical, _runtime, _stops
from checkrein._call import Call, Unappliable
from checkrein._decision import RUNS, Decision, read
from checkrein._errors import Blocked, Halted, Unavailable
from checkrein._exchange import exchange
from checkrein._fail_mode import DENY, Stance, may_run, stance
from checkrein._flow import Flow, Pause
from checkrein._http import Outgoing
from checkrein._observed import Share
from checkrein._reports import Permit, record_gap
from checkrein._run import Run, current_run
from checkrein._tool import Tool
from checkrein._trouble import Malformed

log = logging.getLogger("checkrein")
POLL_SECONDS = 0.001


def admit(tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Flow[Permit]:
    """Permission to run, or an exception. TypeError if the call itself does not fit."""
    bound = tool.bind(args, kwargs)
    run = current_run()
    if run is not None and run.halted is not None:
        raise Halted(run.halted)
    held, call, decision = DENY, None, None
    try:
        runtime = _runtime.current()
        given = tool.options
        held = stance(runtime.settings, given.side_effects, given.on_unavailable, runtime.mode)
        call = Call(tool, bound, run, runtime)
        decision, share = yield from _ask(runtime, call)
        _remember(runtime, call, share, decision)
        _stop_unless_runs(runtime, call, decision, held)
        return Permit(tool, bound, run, call, decision)
    except _stops.Stop as stop:
        _not_run(call)
        raise stop.error from None
    except Exception as error:
        if decision is not None and decision.enforced not in {"allow", "warn"}:
            _not_run(call)
            raise _stops.fallback(decision) from error
        return _without_decision(tool, bound, run, call, held, error)
    except BaseException:
        _not_run(call)
        raise


def enter(permit: Permit) -> inspect.BoundArguments:
    """The arguments to call the body with, now. Raises `Blocked` if they are not the checked ones.

    A permit without a decision has nothing to compare with.
    """
    call, decision = permit.call, permit.decision
    if call is None or decision is None:
        return permit.bound
    if call.changed_since():
        permit.not_run("the arguments changed after the check")
        raise Blocked(
            "The arguments of this call changed while it was being checked, so it was not run. "
            f"Make the call again. (decision {decision.decision_id})",
            decision,
        )
    if decision.enforced != "modify":
        return permit.bound
    try:
        return call.modified(decision.arguments or {})
    except Unappliable as error:
        permit.not_run("the changed arguments do not fit the tool")
        raise Blocked(
            "This call may only run with changed arguments, and those do not fit the tool. "
            f"Change the call yourself. (decision {decision.decision_id})",
            decision,
        ) from error


def _ask(runtime: _runtime.Runtime, call: Call) -> Flow[tuple[Decision, Share]]:
    settings = runtime.settings
    seconds = call.tool.options.timeout or settings.deadline
    deadline = time.monotonic() + seconds
    yield from _settle_results(runtime, call.run, time.monotonic() + seconds / 4)
    share = call.share()
    try:
        outgoing = Outgoing("POST", "/v1/check-action", call.body(share))
        answer = yield from exchange(runtime.wire, runtime.breaker, outgoing, deadline)
        return read(answer), share
    except BaseException:
        if call.run is not None:
            call.run.observed.restore(share)
        raise


def _remember(runtime: _runtime.Runtime, call: Call, share: Share, decision: Decision) -> None:
    runtime.mode = decision.mode
    if call.run is not None:
        call.run.observed.confirm(share)
        call.run.decisions.append(decision)


def _settle_results(runtime: _runtime.Runtime, run: Run | None, until: float) -> Flow[None]:
    """Let the results of earlier calls arrive first: this decision may depend on them."""
    while run is not None and runtime.outbox.owes(run.reported) and time.monotonic() < until:
        yield Pause(POLL_SECONDS)


def _stop_unless_runs(
    runtime: _runtime.Runtime, call: Call, decision: Decision, held: Stance
) -> None:
    if decision.enforced not in RUNS:
        raise _stops.Stop(_stops.error(runtime, call, decision))
    if decision.enforced == "modify" and decision.arguments is None:
        raise _stops.Stop(Blocked(_stops.GENERIC, decision))
    _same_arguments(call, decision)
    if not call.exact and decision.mode not in {"log", "warn"} and not held.only_reads:
        raise _stops.Stop(Blocked(_stops.INEXACT, decision))
    if decision.enforced == "warn":
        log.warning("Checkrein warns about %s: %s", call.tool.name, _stops.text(decision))


def _same_arguments(call: Call, decision: Decision) -> None:
    """The gateway must have judged what was sent, not what something on the way made of it."""
    said = (decision.arguments_digest or "").removeprefix("sha256:")
    judged = decision.arguments if decision.enforced == "modify" else call.arguments
    if said and said != _canonical.digest(judged):
        raise Malformed("the reply is about other arguments")


def _not_run(call: Call | None) -> None:
    if call is not None:
        call.settle_plan(ran=False)


def _without_decision(
    tool: Tool,
    bound: inspect.BoundArguments,
    run: Run | None,
    call: Call | None,
    held: Stance,
    why: Exception,
) -> Permit:
    ran = may_run(held, why)
    try:
        record_gap(tool, run, call, why, ran=ran)
    except Exception:  # the fail mode is decided; failing to tell must not change it
        log.exception("Checkrein could not record a gap")
    if ran:
        return Permit(tool, bound, run, None, None, planned=call)
    _not_run(call)
    hint = getattr(why, "hint", "")
    raise Unavailable(_stops.UNCHECKED + (f" {hint}" if hint else ""), str(why)) from why
