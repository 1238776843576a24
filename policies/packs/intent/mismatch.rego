# METADATA
# title: A call that is hard to undo and not what was asked for
# description: >
#   The Intent Guard's score reaches the threshold that policy.yaml has for one of the call's side
#   effects. Payments, deletions, access, deployments and commands are blocked.
# custom:
#   id: intent.mismatch
#   tools: ["*"]
#   side_effects: [payment, delete, access, deploy, exec]
#   watches: true
#   given: [/assessment/score]
#   severity: critical
#   stage: {development: log, staging: warn, "*": block}
package intent.mismatch

import data.lib.assessments

verdict contains {
	"effect": "block",
	"reason": assessments.reason,
	"suggestion": assessments.suggestion,
	"fields": assessments.fields,
} if {
	assessments.reached
}
