"""Policy folders for the proofs: the shipped packs, and rules that say what a call asks for."""

from __future__ import annotations

import shutil
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[2] / "policies"


def rule(rule_id: str, tools: str, body: str, *custom: str) -> str:
    """A rule's text."""
    more = "".join(f"#   {line}\n" for line in custom)
    head = f"# METADATA\n# title: {rule_id}\n# custom:\n#   id: {rule_id}\n#   tools: [{tools}]\n"
    return f"{head}{more}package {rule_id}\n\n{body}\n"


SAYS = rule(
    "proof.says",
    "proof.*",
    """
verdict contains {
	"effect": effect,
	"reason": sprintf("%s, as asked, at %d: %v", [upper(effect), time.now_ns(), about]),
	"suggestion": sprintf("%v", [time.date(time.now_ns())]),
	"fields": ["/action/arguments/effect"],
} if {
	effect := input.action.arguments.effect
	effect in {"warn", "require_approval", "block", "halt"}
	about := [text | text := input.action.arguments.about]
}
""",
    "optional: [/action/arguments/effect, /action/arguments/about]",
)
CHANGES = rule(
    "proof.changes",
    "proof.*",
    """
verdict contains {
	"effect": "modify",
	"reason": "Too wide.",
	"patch": [
		{"op": "replace", "path": "/action/arguments/width", "value": 10},
		{"op": "add", "path": "/action/arguments/was", "value": width / 4},
	],
} if {
	width := input.action.arguments.width
	width > 10
}
""",
    "optional: [/action/arguments/width]",
)
UNSTABLE = rule(
    "proof.unstable",
    "proof.unstable",
    """
verdict contains {
	"effect": "modify",
	"reason": "One more.",
	"patch": [{"op": "replace", "path": "/action/arguments/n", "value": n + 1}],
} if {
	n := input.action.arguments.n
}
""",
    "requires: {/action/arguments/n: number}",
)
FAILS = rule(
    "proof.fails",
    "proof.fails",
    """
verdict contains {"effect": "warn", "reason": "large"} if to_number(input.action.arguments.text) > 5
""",
    "optional: [/action/arguments/text]",
)
ENDLESS = rule(
    "proof.endless",
    "proof.endless",
    """
verdict contains {"effect": "warn", "reason": "many"} if {
	some a in numbers.range(1, 3000)
	count([1 | some b in numbers.range(1, 3000); a * b == 7]) > 100
}
""",
)
NEEDS = rule(
    "proof.needs",
    "proof.needs",
    """
verdict contains {"effect": "warn", "reason": "sum"} if input.action.arguments.sum > 3
""",
    "requires: {/action/arguments/sum: number}",
)
PROOFS = {
    "rules/says.rego": SAYS,
    "rules/changes.rego": CHANGES,
    "rules/unstable.rego": UNSTABLE,
    "rules/fails.rego": FAILS,
    "rules/endless.rego": ENDLESS,
    "rules/needs.rego": NEEDS,
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def shipped_and(folder: Path, files: dict[str, str]) -> Path:
    """The shipped policies, and these files with them."""
    shutil.copytree(SHIPPED, folder)
    return write(folder, files)
