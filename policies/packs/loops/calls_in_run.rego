# METADATA
# title: A run without an end
# description: A run makes at most `data.limits.calls_per_run` calls.
# custom:
#   id: loops.calls_in_run
#   tools: ["*"]
#   severity: medium
#   reads:
#     - {counter: calls, plus: 1, at_most: {data: limits.calls_per_run}}
package loops.calls_in_run

verdict contains {
	"effect": "block",
	"reason": sprintf("This run has made its %v calls.", [data.limits.calls_per_run]),
	"suggestion": "End this run, and begin another for what is left.",
} if {
	input.state.calls + 1 > data.limits.calls_per_run
}
