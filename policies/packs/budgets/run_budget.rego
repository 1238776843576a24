# METADATA
# title: A budget is used up
# description: >
#   Compares what was used of each budget that covers the call, and what the call adds, with the
#   budget. Budgets stand in policy.yaml; per scope and window one of them must fit the currency.
# custom:
#   id: budgets.run_budget
#   tools: ["*"]
#   severity: high
package budgets.run_budget

budgets := input.state.budgets

adds(budget) := 1 if budget.measure == "calls"

adds(budget) := input.action.amount.value if {
	budget.measure == "spend"
	not budget.missing
}

verdict contains {
	"effect": "block",
	"reason": sprintf("The budget %s would be exceeded: %v used, %v more, at most %v.", [budget.name, budget.used, adds(budget), budget.at_most]),
	"suggestion": "Do not try smaller pieces; ask the user whether the budget is to be raised.",
	"fields": ["/action/amount/value"],
} if {
	some budget in budgets
	budget.used + adds(budget) > budget.at_most
}

# A negative amount would make room for more.
verdict contains {
	"effect": "block",
	"reason": sprintf("The budget %s cannot count an amount below zero.", [budget.name]),
	"suggestion": "Give the amount that will be spent, in minor units.",
	"fields": ["/action/amount/value"],
} if {
	some budget in budgets
	adds(budget) < 0
}

verdict contains {
	"effect": "block",
	"reason": sprintf("input_missing: no budget counts what this call spends (%s).", [budget.name]),
	"suggestion": "Give the amount in a currency that has a budget.",
	"fields": ["/action/amount"],
} if {
	some budget in budgets
	"payment" in input.action.side_effects
	budget.measure == "spend"
	not counted(budget.scope, budget.window)
}

counted(scope, window) if {
	some budget in budgets
	budget.scope == scope
	budget.window == window
	budget.measure == "spend"
	not budget.missing
}
