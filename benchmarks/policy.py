"""Policy folders to measure with: a hundred rules, or two thousand, of which three apply."""

from __future__ import annotations

from pathlib import Path

MANIFEST = """\
environments:
  production:
    mode: block
    fail: {"*": closed}
    defaults: {payment: require_approval, "*": allow}
    budgets:
      - {name: run_calls, scope: run, window: run, measure: calls, at_most: 1000000000}
tools:
  - match: bench.pay
    side_effects: [payment]
    amount: {pointer: /amount, unit: minor, currency_pointer: /currency}
    recipients: [/customer]
data:
  limits: {amount: 1000000}
"""

APPLYING = {
    "amount": """\
verdict contains {"effect": "require_approval", "reason": "A large payment needs a person."} if {
	input.action.amount.value > data.limits.amount
}
""",
    "plan": """\
verdict contains {"effect": "block", "reason": msg, "fields": [field]} if {
	some name, planned in input.request.plan.arguments
	input.action.arguments[name] != planned
	field := concat("/", ["/action/arguments", name])
	msg := sprintf("%s differs from the plan.", [name])
}
""",
    "denials": """\
verdict contains {"effect": "halt", "reason": "Too many denied calls in a row."} if {
	input.state.denials_in_a_row >= 20
}
""",
}

HEADER = """\
# METADATA
# title: {title}
# custom:
#   id: {rule}
#   tools: ["{tool}"]
#   optional: ["/action/arguments/*", "/action/arguments/amount"]
package {package}

"""

OTHER = """\
verdict contains {{"effect": "block", "reason": "Number {number} says no."}} if {{
	input.action.arguments.amount > {number}
	startswith(input.action.tool, "other{number}.")
}}
"""


def write(folder: Path, rules: int) -> Path:
    """A folder of `rules` rules: three for the measured tool, the others for other tools."""
    (folder / "rules").mkdir(parents=True)
    (folder / "policy.yaml").write_text(MANIFEST)
    for name, body in APPLYING.items():
        header = HEADER.format(
            title=name, rule=f"bench.{name}", tool="bench.*", package=f"bench.{name}"
        )
        (folder / "rules" / f"{name}.rego").write_text(header + body)
    for number in range(rules - len(APPLYING)):
        header = HEADER.format(
            title=f"Other {number}",
            rule=f"other.r{number}",
            tool=f"other{number}.*",
            package=f"other.r{number}",
        )
        text = header + OTHER.format(number=number)
        (folder / "rules" / f"other_{number}.rego").write_text(text)
    return folder
