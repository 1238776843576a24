# METADATA
# title: A payment differs from its plan
# description: >
#   Compares the arguments that were planned with those of the call. A value that differs, or that
#   the plan has and the call lacks, blocks the call; currencies are compared without case.
# custom:
#   id: payments.plan_mismatch
#   tools: [stripe.*, bank.*, ads.*]
#   severity: critical
#   optional: [/action/arguments/*]
package payments.plan_mismatch

planned := plan.arguments if {
	other_tool == false
	is_object(plan.arguments)
}

plan := input.request.plan if is_object(input.request.plan)

planned_tool := object.get(plan, "tool", null)

other_tool := planned_tool != input.action.tool if is_string(planned_tool)

other_tool := false if not is_string(planned_tool)

differing contains key if {
	some key, wanted in planned
	not same(key, wanted)
}

same(key, wanted) if input.action.arguments[key] == wanted

same("currency", wanted) if {
	is_string(wanted)
	is_string(input.action.arguments.currency)
	regex.match(`^[A-Za-z]{3}$`, wanted)
	regex.match(`^[A-Za-z]{3}$`, input.action.arguments.currency)

	# portable: three ASCII letters by the pattern
	lower(input.action.arguments.currency) == lower(wanted)
}

verdict contains {
	"effect": "block",
	"reason": difference,
	"suggestion": "Call again with the values of the plan, or ask the user whether the plan is to change.",
	"fields": [pointer(key) | some key in sort(differing)],
} if {
	count(differing) > 0
}

verdict contains {
	"effect": "warn",
	"reason": "The plan named another tool than the one that would move money.",
	"suggestion": "Make a plan for this call first.",
	"fields": ["/action/tool"],
} if {
	other_tool
	"payment" in input.action.side_effects
}

difference := sprintf("The plan says that %s is %v, the call says %v.", flipped) if flipped

difference := sprintf("The call differs from the plan in %s.", [named]) if not flipped

flipped := [key, planned[key], input.action.arguments[key]] if {
	count(differing) == 1
	some key in differing
	is_boolean(planned[key])
	is_boolean(input.action.arguments[key])
}

named := concat(", ", array.slice(sort(differing), 0, 5))

pointer(key) := concat("", ["/action/arguments/", replace(replace(key, "~", "~0"), "/", "~1")])
