# METADATA
# title: Blind copies stay inside
# description: Takes blind copies to outside addresses off a mail before it is sent.
# custom:
#   id: recipients.strip_bcc
#   tools: [email.*, mail.*]
#   severity: medium
#   optional: [/action/arguments/bcc]
package recipients.strip_bcc

import data.lib.addresses

copies := input.action.arguments.bcc

kept := [copy | some copy in copies; addresses.inside(copy)] if is_array(copies)

some_outside if {
	is_array(copies)
	count(kept) < count(copies)
}

verdict contains {
	"effect": "modify",
	"reason": "Blind copies to outside addresses were taken off.",
	"suggestion": "Name outside recipients openly, in the field to.",
	"fields": ["/action/arguments/bcc"],
	"patch": [{"op": "replace", "path": "/action/arguments/bcc", "value": kept}],
} if {
	some_outside
}

# Several addresses in one text, or in an object, cannot be taken apart safely: the field goes.
verdict contains {
	"effect": "modify",
	"reason": "A blind copy to an outside address was taken off.",
	"suggestion": "Name outside recipients openly, in the field to.",
	"fields": ["/action/arguments/bcc"],
	"patch": [{"op": "remove", "path": "/action/arguments/bcc"}],
} if {
	type_name(copies) in {"string", "number", "boolean", "object"}
	not addresses.inside(copies)
}
