"""A frame of a run as people read it: a heading, and sections with a name.

Pure: documents of the API in, text out. The text is not safe for a terminal yet; a Screen makes
it so when it prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from gateway.cli.text import pretty

Document = dict[str, Any]


class Section(Struct, frozen=True):
    """A name and lines; `style` is a verdict or empty."""

    name: str
    lines: tuple[str, ...]
    style: str = ""


def heading(frame: Document) -> tuple[str, str]:
    """What the frame is, in a few words, and the word whose colour it takes."""
    kind, body = frame["type"], frame["body"]
    title = str(kind).replace("_", " ")
    if kind == "decision":
        verdict, enforced = body["verdict"], body["enforced"]
        said = enforced if verdict == enforced else f"{verdict}, enforced {enforced}"
        return f"{title}: {said}: {body['tool']}", enforced
    if kind == "result":
        return f"{title}: {body['status']}", "failed" if body["status"] == "failed" else "ok"
    return title, ""


def sections(frame: Document) -> Iterator[Section]:
    """Everything of the frame, in the order in which it matters."""
    content = frame["content"]
    if frame["type"] == "decision":
        yield from _decision(frame["body"], content)
    else:
        yield from _each(content.get("observation", content))
        yield from _each(_evidence(frame["body"]))
    for gone in ("erased", "broken"):
        if frame[gone]:
            yield Section(gone, tuple(frame[gone]), "failed")


def _decision(body: Document, content: Document) -> Iterator[Section]:
    seen = content.get("frame")
    if isinstance(seen, dict):
        yield from _request(seen.get("request") or {})
        yield from _context(seen.get("context") or [])
        yield Section("call", tuple(_call(seen)))
        yield from _state(seen.get("state") or {})
    yield from _rules(content)
    yield from _decided(body, content.get("decision"))


def _request(request: Document) -> Iterator[Section]:
    if request.get("user"):
        yield Section("request", _lines(request["user"]))
    plan = request.get("plan") or {}
    planned = [*_lines(plan["text"])] if plan.get("text") else []
    if plan.get("tool"):
        planned.append(f"tool: {plan['tool']}")
    planned += [f"{name}: {pretty(value)}" for name, value in (plan.get("arguments") or {}).items()]
    if planned:
        yield Section("plan", tuple(planned))
    if request.get("reasoning"):
        yield Section("reasoning", _lines(request["reasoning"]))


def _context(items: list[Document]) -> Iterator[Section]:
    for item in items:
        trust = "trusted" if item.get("trusted") else "not trusted"
        source = item.get("source") or item.get("id") or "no source"
        text = item.get("text", "") if item.get("found", True) else "(no longer held)"
        yield Section("context", (f"{source} ({trust})", *_lines(text)))


def _call(seen: Document) -> Iterator[str]:
    """The arguments, each beside what the plan says where the two differ."""
    action = seen.get("action") or {}
    plan = ((seen.get("request") or {}).get("plan") or {}).get("arguments") or {}
    arguments = action.get("arguments") or {}
    effects = ", ".join(action.get("side_effects") or ())
    yield f"{action.get('tool')} ({effects})" if effects else f"{action.get('tool')}"
    for name, value in arguments.items():
        differs = name in plan and plan[name] != value
        note = f"   <- the plan says {pretty(plan[name])}" if differs else ""
        yield f"{name}: {pretty(value)}{note}"
    for name in sorted(plan.keys() - arguments.keys()):
        yield f"{name}: absent   <- the plan says {pretty(plan[name])}"


def _state(state: Document) -> Iterator[Section]:
    told = [
        f"{state.get('calls', 0)} calls before it",
        f"{state.get('identical', 0)} identical",
        f"{state.get('near_identical', 0)} nearly so",
        f"{state.get('denials_in_a_row', 0)} denials in a row",
    ]
    lines = [", ".join(told)]
    lines += [f"spent {value:,} {currency}" for currency, value in state.get("spend", {}).items()]
    lines += [f"label {label}" for label in state.get("labels", ())]
    for each in state.get("budgets", ()):
        unit = each.get("currency") or each.get("measure")
        lines.append(f"budget {each['name']}: {each['used']:,} of {each['at_most']:,} {unit} used")
    yield Section("state", tuple(lines))


def _rules(content: Document) -> Iterator[Section]:
    """What every rule that was asked said, those that said nothing in one line."""
    rounds = content.get("rounds")
    for number, asked in enumerate(rounds if isinstance(rounds, list) else (), start=1):
        heard = {result["rule"]: _heard(result) for result in asked.get("results", ())}
        lines = [f"{rule}: {said}" for rule, said in heard.items() if said]
        silent = [rule for rule, said in heard.items() if not said]
        lines += [f"nothing to say: {', '.join(silent)}"] if silent else []
        yield Section("rules" if number == 1 else f"round {number}", tuple(lines or ("none",)))


def _heard(result: Document) -> str:
    said = [each["effect"] for each in result.get("verdicts", ())]
    if result.get("failure"):
        why = f" ({result['error']})" if result.get("error") else ""
        said.append(f"{result['failure']}{why}")
    said += [f"missing {name}" for name in result.get("missing", ())]
    return ", ".join(said)


def _decided(body: Document, decision: Any) -> Iterator[Section]:
    said = f"verdict {body['verdict']}, enforced {body['enforced']}, mode {body['mode']}"
    lines = [said]
    for reason in decision.get("reasons", ()) if isinstance(decision, dict) else ():
        kept = reason["effect"] == reason["enforced"]
        capped = "" if kept else f", enforced {reason['enforced']}"
        lines.append(f"{reason['rule']}: {reason['effect']}{capped}: {reason['reason']}")
        if reason.get("fields"):
            lines.append(f"  about {', '.join(reason['fields'])}")
        if reason.get("suggestion"):
            lines.append(f"  next: {reason['suggestion']}")
    if isinstance(decision, dict) and decision.get("arguments") is not None:
        lines.append(f"changed arguments: {pretty(decision['arguments'])}")
    lines += [f"degraded: {each}" for each in body.get("degraded") or ()]
    engine = body.get("engine") or {}
    policy = f"policy {body['policy_digest'][:12]}, engine {engine.get('name')}"
    lines.append(f"{policy} {engine.get('version')}, {body['decision_id']}")
    yield Section("decision", tuple(lines), body["enforced"])


def _evidence(body: Document) -> Document:
    """What is left to say of an event besides its content and its digests."""
    return {
        name: value
        for name, value in body.items()
        if value not in (None, "", [], {}) and not name.endswith(("_digest", "_seq", "_ns"))
    }


def _each(document: Any) -> Iterator[Section]:
    if not isinstance(document, dict):
        yield Section("content", _lines(pretty(document)))
        return
    for name, value in document.items():
        yield Section(name.replace("_", " "), _lines(pretty(value)))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n"))
