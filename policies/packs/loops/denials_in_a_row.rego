# METADATA
# title: One stopped call after another
# description: >
#   First guidance, then a block of everything but reading, then the end of the run.
# custom:
#   id: loops.denials_in_a_row
#   tools: ["*"]
#   severity: high
package loops.denials_in_a_row

denials := input.state.denials_in_a_row

only_reads if input.action.side_effects == ["read"]

effect := "halt" if denials >= data.limits.denials.halt

effect := "block" if {
	denials >= data.limits.denials.block
	denials < data.limits.denials.halt
	not only_reads
}

effect := "warn" if {
	denials >= data.limits.denials.warn
	denials < data.limits.denials.block
}

# Reading is a way out: a run that looks again before it acts has changed its mind.
effect := "warn" if {
	denials >= data.limits.denials.block
	denials < data.limits.denials.halt
	only_reads
}

next_step := {
	"warn": "Read the reasons of the stopped calls before you go on.",
	"block": "Look up what is missing, or ask the user; do not try another way around.",
	"halt": "Stop, and report to a person which calls were stopped and why.",
}

verdict contains {
	"effect": effect,
	"reason": sprintf("The last %v calls of this run were stopped.", [denials]),
	"suggestion": next_step[effect],
}
