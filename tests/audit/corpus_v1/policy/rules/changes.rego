# METADATA
# title: proof.changes
# custom:
#   id: proof.changes
#   tools: [proof.*]
#   optional: [/action/arguments/width]
package proof.changes


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

