"""What is told afterwards: results of calls that ran, and gaps. In the background, best effort.

Nothing here may change what the agent sees of its tool, so every failure ends in a log line.
"""

from __future__ import annotations

import inspect
import logging
from typing import Any
from urllib.parse import quote

import msgspec

from checkrein import _canonical, _runtime
from checkrein._call import Call
from checkrein._decision import Decision
from checkrein._events import make
from checkrein._fail_mode import describe
from checkrein._ids import new_id
from checkrein._inside import Body
from checkrein._outcomes import remember_error, remember_output
from checkrein._plain import Plainer
from checkrein._run import Run, batches
from checkrein._sizes import OUTPUT_BYTES, fit, short
from checkrein._tool import Tool

log = logging.getLogger("checkrein")
ERROR_BYTES = 2000


class Permit:
    """Leave to run a body once. Without a `decision` it is a gap, and has no result to report."""

    def __init__(
        self,
        tool: Tool,
        bound: inspect.BoundArguments,
        run: Run | None,
        call: Call | None,
        decision: Decision | None,
        *,
        planned: Call | None = None,
    ) -> None:
        self.tool, self.bound, self.run = tool, bound, run
        self.call, self.decision = call, decision
        # Whose step of the plan this is, for a gap too.
        self._planned = planned or call
        # What calls that the body makes belong to.
        self.body = Body(call.action_id if call and decision else None)

    def succeeded(self, output: Any, duration_ns: int, *, truncated: bool = False) -> None:
        """Report what the body returned."""
        self._report("succeeded", duration_ns, output=output, truncated=truncated)

    def failed(self, error: BaseException, duration_ns: int) -> None:
        """Report what the body raised."""
        said = {"type": type(error).__name__, "message": str(error)}
        self._report("failed", duration_ns, error=said)

    def not_run(self, why: str) -> None:
        """Report that the body did not run although it was allowed to."""
        if self._planned is not None:
            self._planned.settle_plan(ran=False)
        self._report("failed", 0, error={"type": "NotRun", "message": why})

    def _report(self, status: str, duration_ns: int, **result: Any) -> None:
        try:
            if self._planned is not None:
                self._planned.settle_plan(ran=True)
            _report(self, status, duration_ns, **result)
        except Exception:  # the tool's own outcome stands, whatever happens to its report
            log.exception("Checkrein could not report a result")


def _report(
    permit: Permit,
    status: str,
    duration_ns: int,
    output: Any = None,
    error: dict[str, str] | None = None,
    truncated: bool = False,
) -> None:
    options = permit.tool.options
    runtime = _runtime.current()
    masker = permit.run.observed.masker if permit.run else runtime.masker
    plain = Plainer()(output)
    masked = masker.value(plain.value)
    capture = options.capture or runtime.settings.capture
    if permit.run is not None and capture == "full":
        if error is None and not isinstance(output, bytes | bytearray | memoryview):
            remember_output(permit.run, permit.tool, masked)
        elif error is not None:
            remember_error(permit.run, permit.tool, masker, error)
    if permit.decision is None or not permit.decision.decision_id:
        return
    kept, cut = fit(masked, OUTPUT_BYTES)
    cost = options.cost(output) if options.cost and status == "succeeded" else None
    body = {
        "status": status,
        "output": kept if capture == "full" else None,
        "output_digest": _canonical.digest(masked) if status == "succeeded" else None,
        "error": _error(masker.text(error["message"]), error["type"]) if error else None,
        "duration_ns": str(duration_ns),
        "cost": {"value": cost[0], "currency": cost[1]} if cost else None,
        "truncated": truncated or cut or not plain.exact,
    }
    decision_id = quote(permit.decision.decision_id, safe="")
    path = f"/v1/decisions/{decision_id}/result"
    ticket = runtime.outbox.put(path, msgspec.json.encode(body))
    if permit.run is not None:
        permit.run.reported = ticket


def _error(message: str, kind: str) -> dict[str, str]:
    return {"type": kind[:256], "message": short(message, ERROR_BYTES)}


def record_gap(
    tool: Tool, run: Run | None, call: Call | None, why: Exception, *, ran: bool
) -> None:
    """Count a call without a decision, and record it where the body ran."""
    runtime = _runtime.current()
    runtime.gaps.tell(runtime.settings, tool.name, why, ran=ran)
    if not ran:
        return
    fields = {
        "tool": tool.name,
        "reason": describe(why),
        "side_effects": sorted(tool.options.side_effects),
        "action_id": call.action_id if call else None,
        "arguments_digest": call.digest if call else None,
    }
    ref = run.wire_ref() if run else {"id": new_id("run")}
    seq = run.observed.next_seq() if run else 1
    masker = run.observed.masker if run else runtime.masker
    for body in batches(ref, [make("gap", seq, masker, fields)]):
        runtime.outbox.put("/v1/events", body)
