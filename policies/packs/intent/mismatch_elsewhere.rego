# METADATA
# title: Another call that is not what was asked for
# description: >
#   The same for calls that can be undone: the agent is warned. What only reads is held to its plan
#   and to where it comes from, not to how well it goes with the request.
# custom:
#   id: intent.mismatch_elsewhere
#   tools: ["*"]
#   given: [/assessment/score]
#   severity: medium
#   stage: {development: log, "*": warn}
package intent.mismatch_elsewhere

import data.lib.assessments

hard if {
	some effect in input.action.side_effects
	effect in {"payment", "delete", "access", "deploy", "exec"}
}

verdict contains {
	"effect": "warn",
	"reason": assessments.reason,
	"suggestion": assessments.suggestion,
	"fields": assessments.fields,
} if {
	not hard
	assessments.reached
}
