"""Small policies, written out as folders or kept as files in memory."""

from __future__ import annotations

from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[2] / "policies"

MANIFEST = """\
environments:
  production: {mode: block}
"""


def rule(
    rule_id: str = "a.b",
    body: str = 'verdict contains {"effect": "block", "reason": "no"} if input.action.tool == "x"',
    *,
    tools: str = "[x.*]",
    more: str = "",
    title: str = "A rule",
) -> str:
    """A rule's text; `body` begins at line 6, or one further down for each line of `more`."""
    custom = f"#   id: {rule_id}\n#   tools: {tools}\n"
    custom += "".join(f"#   {line}\n" for line in more.splitlines())
    return f"# METADATA\n# title: {title}\n# custom:\n{custom}package {rule_id}\n{body}\n"


def saying(effect: str, rule_id: str = "a.b") -> dict[str, str]:
    """A policy that says this of every call of `x.*`, and a golden case that holds it to that."""
    body = f'verdict contains {{"effect": "{effect}", "reason": "{effect}"}}'
    case = (
        f"about: x is {effect}\ncheck: {{action: {{tool: x.y}}}}\n"
        f"expect: {{verdict: {effect}, reasons: [{rule_id}]}}\n"
    )
    return {
        "policy.yaml": MANIFEST,
        "rules/a.rego": rule(rule_id, body),
        "cases/x.yaml": case,
    }


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
