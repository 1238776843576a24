# METADATA
# title: Something goes to an outside recipient
# description: >
#   Recipients outside `data.internal_domains` are pointed out; customers' data or secrets on their way
#   to one are stopped, and an address that is written so that it can be misread waits for a person.
# custom:
#   id: recipients.outside
#   tools: ["*"]
#   severity: high
#   optional: [/action/arguments/*]
package recipients.outside

import data.lib.addresses
import data.lib.secrets
import data.lib.texts

outside contains recipient if {
	some effect in input.action.side_effects
	some recipient in input.action.recipients
	leads_out(effect, recipient)
	not addresses.inside(recipient)
}

# Channels, accounts and customer ids are names within a system; everything else is an address.
leads_out("message", recipient) if not regex.match(`^[#@]?[A-Za-z0-9_-]+$`, recipient)

leads_out("payment", recipient) if regex.match(`@|[^\x20-\x7e]`, recipient)

misleading contains recipient if {
	some recipient in outside
	not addresses.domain(recipient)
	regex.match(`@|[^\x20-\x7e]`, recipient)
}

# What tells of a person who is neither a recipient nor one of us.
personal contains found if {
	some found in regex.find_n(addresses_and_ids, texts.all_arguments, -1)
	not of_recipient(found)
	not addresses.inside(found)
}

addresses_and_ids := concat("|", [
	`\[(?:card|redacted):[0-9a-f]+`,
	`\[email:[0-9a-f]+@[^\]]+\]`,
	`[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}`,
	`cus_[A-Za-z0-9]{4,}`,
	`[2-6][0-9]{3}(?:[ -]?[0-9]{4}){3}`,
])

# One number may be that of the sender; several are a list of people.
phones contains found if {
	some found in regex.find_n(`\[phone:[0-9a-f]+|\+[1-9](?:[ ().-]{0,2}[0-9]){7,14}`, texts.all_arguments, -1)
	not of_recipient(found)
}

of_recipient(found) if {
	some recipient in input.action.recipients
	contains(recipient, found)
}

carries_secrets if count(secrets.kinds(texts.all_arguments)) > 0

carries_data if count(personal) > 0

carries_data if count(phones) > 1

carries_data if carries_secrets

verdict contains {
	"effect": "block",
	"reason": sprintf("Customer data or a secret would go to an outside recipient (%s).", [shown]),
	"suggestion": "Leave the data out, or send it to an address of your own organization.",
	"fields": ["/action/recipients"],
} if {
	count(outside) > 0
	carries_data
}

verdict contains {
	"effect": "require_approval",
	"reason": sprintf("The address of a recipient can be misread (%s).", [shown]),
	"suggestion": "Write one plain address for each recipient.",
	"fields": ["/action/recipients"],
} if {
	count(misleading) > 0
	not carries_data
}

verdict contains {
	"effect": "warn",
	"reason": sprintf("A recipient is outside of your organization (%s).", [shown]),
	"suggestion": "Check that the user named this recipient.",
	"fields": ["/action/recipients"],
} if {
	count(outside) > 0
	count(misleading) == 0
	not carries_data
}

# A mail without a recipient that can be read has one that cannot.
verdict contains {
	"effect": "require_approval",
	"reason": "The recipients of this mail cannot be told.",
	"suggestion": "Give the recipients as plain addresses in the field to.",
	"fields": ["/action/recipients"],
} if {
	"message" in input.action.side_effects
	regex.match(`^e?mail[._]`, input.action.tool)
	count(input.action.recipients) == 0
}

shown := concat(", ", array.slice(sort(outside), 0, 3))
