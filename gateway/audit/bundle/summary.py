"""PR_SUMMARY.md: the run for people, from nothing but the receipt's own facts.

What an agent wrote can reach it only by way of names, and these are made harmless for Markdown.
"""

from __future__ import annotations

from typing import Any

ROWS_MAX = 200
NAME_CHARS = 120
_MARKUP = str.maketrans({char: f"\\{char}" for char in "\\`*_{}[]()#+-.!|<>~&"})


def of_receipt(receipt: dict[str, Any]) -> bytes:
    """The summary, in UTF-8. `receipt` needs neither its files nor its signature."""
    run, timings, content = receipt["run"], receipt["timings"], receipt["content"]
    lines = [
        f"# Run {_safe(run['name'] or run['external_id'] or receipt['run_id'])}",
        "",
        f"- Run: `{receipt['run_id']}`, project `{receipt['project_id']}`",
        f"- Status: {_safe(run['status'])}, environment {_safe(run['environment'])}",
        f"- Agent: {_safe(run['agent_id'] or 'not named')}",
        f"- User: {_safe(run['user_id'] or 'not named')}",
        f"- Recorded: {timings['first_recorded_at']} to {timings['last_recorded_at']}",
        f"- Events: {receipt['events']['count']}",
        f"- Head of the chain: `{receipt['chain']['head']}`",
        f"- Content: {content['shown']} of {content['committed']} parts shown",
        f"- Actions: {run['actions']}, {run['blocked']} stopped, {run['warned']} with a warning",
        f"- Put to a person: {run['approvals']}; failed: {run['errors']}",
        *_erased(content.get("erased")),
        "",
    ]
    decided = [each for each in receipt["actions"] if "verdict" in each]
    rows = [
        [str(each["seq"]), each["tool"], each["enforced"], ", ".join(each["rules"])]
        for each in decided
    ]
    lines += _table("What it did", ("seq", "tool", "enforced", "rules"), rows)
    rows = [
        [str(each["seq"]), each["name"] or "not shown", each["status"]]
        for each in receipt["verification"]
    ]
    lines += _table("What was verified", ("seq", "check", "status"), rows)
    rows = [
        [str(each["seq"]), each["name"] or "not shown", each.get("digest", "none")]
        for each in receipt["artifacts"]
    ]
    lines += _table("What it made", ("seq", "artifact", "digest"), rows)
    lines += ["How to check all of this: VERIFY.md.", ""]
    return "\n".join(lines).encode("utf-8", "replace")


def _erased(erased: dict[str, Any] | None) -> list[str]:
    if erased is None:
        return []
    said = ", ".join(_safe(str(erased.get(name))) for name in ("at", "what", "by"))
    return [f"- Content erased: {said}"]


def _table(title: str, columns: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    drawn = [f"## {title}", "", _row(columns), _row(["---"] * len(columns), safe=False)]
    drawn += [_row(row) for row in rows[:ROWS_MAX]]
    if len(rows) > ROWS_MAX:
        drawn += ["", f"{len(rows) - ROWS_MAX} more are in RECEIPT.json."]
    return [*drawn, ""]


def _row(cells: list[str] | tuple[str, ...], *, safe: bool = True) -> str:
    return "| " + " | ".join(_safe(cell) if safe else cell for cell in cells) + " |"


def _safe(text: str) -> str:
    """One line without markup and without anything that cannot be seen."""
    kept = "".join(char if char.isprintable() else "?" for char in text[:NAME_CHARS])
    return kept.translate(_MARKUP) + ("..." if len(text) > NAME_CHARS else "")
