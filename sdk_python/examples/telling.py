"""What the six simulations share: a run that keeps count of itself, and a summary of it.

The agents in this folder are scripted: no language model, no real tools. Tools append to `ran`, so
what is in there is what happened. Settings come from the environment, as in any agent.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import checkrein


class Story:
    """One simulation as it goes on: what was asked, tried and decided, and what ran."""

    def __init__(self, name: str, asked: str) -> None:
        self.name = name
        self.asked = asked
        self.run_id = ""
        self.tried: list[dict[str, Any]] = []
        self.ran: list[dict[str, Any]] = []
        self.ended = "finished"

    def did(self, tool: str, **arguments: Any) -> None:
        """What a tool does here instead of its work: say that it ran, and with what."""
        self.ran.append({"tool": tool, "arguments": arguments})

    def attempt(
        self, run: checkrein.Run, tool: str, call: Callable[..., Any], **arguments: Any
    ) -> Any:
        """Call a guarded tool; note what came back. None when it did not run; a halt is raised."""
        before = len(run.decisions)
        tried: dict[str, Any] = {"tool": tool, "arguments": arguments}
        self.tried.append(tried)
        started = time.perf_counter()
        try:
            return call(**arguments)
        except checkrein.CheckreinError as stopped:
            tried["told"] = str(stopped)
            return None
        except checkrein.Halted as halted:
            tried["told"] = str(halted)
            self.ended = "halted"
            raise
        finally:
            elapsed = (time.perf_counter() - started) * 1000
            decision = run.decisions[-1] if len(run.decisions) > before else None
            tried.update(_decided(decision), round_trip_ms=round(elapsed, 3))

    def summary(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "name": self.name,
            "run_id": self.run_id,
            "asked": self.asked,
            "tried": self.tried,
            "ran": self.ran,
            "ended": self.ended,
        }


def planned() -> bool:
    """Whether the agent tells its plan: not with `--without-plan`, when the request must do."""
    return "--without-plan" not in sys.argv[1:]


def right() -> bool:
    """Whether the agent does what it was asked, with `--right`: a good run, to compare with."""
    return "--right" in sys.argv[1:]


def tell(main: Callable[[], dict[str, Any]]) -> None:
    """Run a simulation as a script: prose, or with `--json` one line for another program."""
    summary = main()
    arrived = checkrein.flush(5.0)
    if "--json" in sys.argv[1:]:
        print(json.dumps({**summary, "reported": arrived}))
        return
    print(f"{summary['name']}\n  asked   {summary['asked']}")
    for tried in summary["tried"]:
        arguments = ", ".join(f"{key}={value!r}" for key, value in tried["arguments"].items())
        rule = f" by {tried['rule']}" if tried["rule"] else ""
        print(f"  tried   {tried['tool']}({arguments})")
        took = f" in {tried['elapsed_ms']} ms" if tried["elapsed_ms"] is not None else ""
        print(f"          {tried['enforced'] or 'no decision'}{rule}{took}")
        if tried["reason"]:
            print(f"          {tried['reason']}")
        if assessed := tried["assessed"]:
            print(
                f"          {assessed['score']:.0%} not what was asked for: {assessed['finding']}"
            )
    ran = ", ".join(one["tool"] for one in summary["ran"]) or "nothing"
    print(f"  ran     {ran}\n  {summary['ended']}, run {summary['run_id']}")


def _decided(decision: checkrein.Decision | None) -> dict[str, Any]:
    """The decision in short; empty words when there was none."""
    if decision is None:
        nothing = dict.fromkeys(("decision_id", "run_id", "verdict", "enforced", "mode"), "")
        empty = {"rule": "", "rules": [], "reason": "", "assessed": None, "elapsed_ms": None}
        return {**nothing, **empty}
    first = decision.reasons[0] if decision.reasons else None
    reason = next((one for one in decision.reasons if one.effect == decision.verdict), first)
    return {
        "decision_id": decision.decision_id,
        "run_id": decision.run_id,
        "verdict": decision.verdict,
        "enforced": decision.enforced,
        "mode": decision.mode,
        "rule": reason.rule if reason else "",
        "rules": [one.rule for one in decision.reasons if one.effect == decision.verdict],
        "reason": reason.reason if reason else "",
        "assessed": _assessed(decision.assessment),
        "elapsed_ms": decision.elapsed_ms,
    }


def _assessed(assessment: checkrein.Assessment | None) -> dict[str, Any] | None:
    """The Intent Guard's score, and what speaks most against the call; None without one."""
    if assessment is None or assessment.score is None:
        return None
    signal = next(iter(assessment.signals), None)
    if signal is None:
        return {"score": assessment.score, "field": None, "finding": "nothing in particular"}
    field = signal.field.removeprefix("/action/").removeprefix("arguments/")
    finding = f"{field} is {signal.observed!r}"
    if signal.expected is not None:
        finding += f", {signal.source} says {signal.expected!r}"
    return {"score": assessment.score, "field": signal.field, "finding": finding}
