"""`checkrein record`: what a run was, on one page."""

from __future__ import annotations

from typing import Any

import rich_click as click

from gateway.cli.answering import answering, data_option
from gateway.cli.record import mention, record
from gateway.cli.screen import Screen


@click.command(name="record")
@click.argument("run", metavar="RUN")
@data_option
@answering
def run_record(screen: Screen, run: str, data: str | None) -> None:
    """The compact record of a run: who, with what, doing what, and how much of it was seen.

    RUN is a run's id, or the name that its caller gave it. --json gives the whole of it.

    Example: checkrein record first-run
    """
    source = record(data)
    mention(screen, source)
    found = source.record(source.run(run)["run_id"])
    if screen.json:
        screen.answer(found)
        return
    _introduce(screen, found)
    calls = [_call(each) for each in found["tool_calls"]]
    screen.table(("frame", "call", "does", "approval", "became", "model"), calls)
    if found["artifacts"]:
        screen.say()
        made = [
            (f"{each['seq']}", each["path"] or each["name"] or "", each["access"] or "")
            for each in found["artifacts"]
        ]
        screen.table(("frame", "artifact", "access"), made)
    screen.say()
    seen = [
        (each["boundary"], each["state"], *_counts(each), " ".join(each["reasons"]))
        for each in found["capture"]
    ]
    columns = ("boundary", "seen", "recorded", "stubbed", "denied", "unobserved", "why")
    screen.table(columns, seen)


def _introduce(screen: Screen, found: dict[str, Any]) -> None:
    models = ", ".join(each["id"] or "unnamed" for each in found["models"])
    screen.fields(
        {
            "run": found["run_id"],
            "agent": found["agent_id"] or "",
            "status": found["final_status"],
            "models": models or "none told",
            "prompts": ", ".join(found["prompt_versions"]) or "none told",
            "tools": ", ".join(each["name"] for each in found["tools_available"]) or "none told",
            "MCP servers": ", ".join(found["mcp_servers"]) or "none",
            "cost": _money(found["cost"]) or "none told",
            "verified": ", ".join(_checked(each) for each in found["verification"]) or "nothing",
            "handed on": ", ".join(each["to_agent"] for each in found["handoffs"]) or "nothing",
        }
    )
    screen.say()


def _call(call: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{call['seq']}",
        call["tool"],
        ", ".join(call["side_effects"]),
        call["approval_state"],
        call["status"],
        call["model"] or "",
    )


def _checked(each: dict[str, Any]) -> str:
    return f"{each['name'] or each['kind'] or 'check'} {each['status']}"


def _counts(each: dict[str, Any]) -> list[str]:
    return [f"{each[name]}" for name in ("recorded", "stubbed", "denied", "unobserved")]


def _money(cost: dict[str, int]) -> str:
    return ", ".join(f"{amount:,} {currency}" for currency, amount in cost.items())
