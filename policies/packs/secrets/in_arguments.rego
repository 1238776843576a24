# METADATA
# title: A secret on its way out
# description: >
#   Keys, tokens and private keys in the arguments of calls that send or store something. The SDK masks
#   them before they leave the process; the token it puts in their place counts as the secret.
# custom:
#   id: secrets.in_arguments
#   tools: ["*"]
#   severity: critical
#   optional: [/action/arguments/*]
package secrets.in_arguments

import data.lib.secrets
import data.lib.texts

leaves if {
	some effect in input.action.side_effects
	effect in {"network", "message", "write"}
}

verdict contains {
	"effect": "block",
	"reason": sprintf("The arguments hold %s.", [concat(", ", sort(kinds))]),
	"suggestion": "Leave the secret out; the tool has its own credentials.",
	"fields": ["/action/arguments"],
} if {
	leaves
	kinds := secrets.kinds(texts.all_arguments)
	count(kinds) > 0
}
