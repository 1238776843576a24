# METADATA
# title: The same call again and again
# description: >
#   Counts calls of the run with the same tool and the same arguments. Calls that only read, such as
#   polling, have a limit of their own.
# custom:
#   id: loops.identical_calls
#   tools: ["*"]
#   severity: medium
package loops.identical_calls

only_reads if input.action.side_effects == ["read"]

limit := data.limits.identical.reads if only_reads

limit := data.limits.identical.acts if not only_reads

verdict contains {
	"effect": "block",
	"reason": sprintf("This exact call was made %v times in this run.", [input.state.identical]),
	"suggestion": "Use the result you have, or do something else; another call like this changes nothing.",
} if {
	input.state.identical >= limit
}
