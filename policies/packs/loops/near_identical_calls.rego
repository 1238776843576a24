# METADATA
# title: A loop of calls that hardly differ
# description: >
#   Counts calls of the run with the same tool and arguments that differ only in numbers, case, white
#   space or the order of words. A run that goes on after being stopped is halted.
# custom:
#   id: loops.near_identical_calls
#   tools: ["*"]
#   severity: high
package loops.near_identical_calls

only_reads if input.action.side_effects == ["read"]

limits := data.limits.near_identical.reads if only_reads

limits := data.limits.near_identical.acts if not only_reads

alike := input.state.near_identical

looping if alike >= limits.block

halting if alike >= limits.halt

halting if {
	looping
	input.state.denials_in_a_row >= data.limits.near_identical.denials
}

verdict contains {
	"effect": "block",
	"reason": sprintf("%v calls of this run were nearly the same as this one.", [alike]),
	"suggestion": "Stop repeating it: work with what you have, or ask the user.",
} if {
	looping
	not halting
}

verdict contains {
	"effect": "halt",
	"reason": sprintf("The run goes round in circles: %v calls nearly the same as this one.", [alike]),
	"suggestion": "Stop, and report to a person what you were looking for.",
} if {
	halting
}
