# METADATA
# title: The recipient comes from untrusted content
# description: >
#   A recipient that stands in retrieved content nobody vouches for, and that neither the user nor a
#   trusted source named. If at least the plan names it a person may approve; else it is blocked.
# custom:
#   id: recipients.untrusted_source
#   tools: ["*"]
#   severity: critical
#   optional: [/action/arguments/*]
package recipients.untrusted_source

import data.lib.texts

sends if {
	some effect in input.action.side_effects
	effect in {"payment", "message"}
}

untrusted contains item.text if {
	sends
	count(input.action.recipients) > 0
	some item in input.context
	not item.trusted
}

# However a page spells an address, with blanks or capitals, it is the same one.
untrusted_bare contains texts.bare(text) if some text in untrusted

from_untrusted(recipient) if {
	bare := texts.bare(recipient)
	count(bare) >= 4
	some text in untrusted_bare
	contains(text, bare)
}

from_untrusted(recipient) if {
	not texts.is_ascii(recipient)
	some text in untrusted
	contains(text, recipient)
}

vouching contains input.request.user if is_string(input.request.user)

vouching contains item.text if {
	some item in input.context
	item.trusted
}

planning contains input.request.plan.text if is_string(input.request.plan.text)

planning contains text if {
	walk(input.request.plan.arguments, [_, text])
	is_string(text)
}

# What vouches for a recipient names it whole, not as a part of another.
vouching_words contains texts.words(text) if some text in vouching

planning_words contains texts.words(text) if some text in planning

named(places, _, recipient) if {
	texts.is_ascii(recipient)
	wanted := texts.words(recipient)
	some place in places
	contains(place, wanted)
}

named(_, places, recipient) if {
	not texts.is_ascii(recipient)
	some place in places
	contains(place, recipient)
}

suspect contains recipient if {
	sends
	some recipient in input.action.recipients
	from_untrusted(recipient)
	not named(vouching_words, vouching, recipient)
}

unplanned contains recipient if {
	some recipient in suspect
	not named(planning_words, planning, recipient)
}

verdict contains {
	"effect": "block",
	"reason": sprintf("The recipient %s comes from untrusted content alone.", [concat(", ", array.slice(sort(unplanned), 0, 3))]),
	"suggestion": "Take the recipient from the user or from your own records, not from retrieved content.",
	"fields": ["/action/recipients"],
} if {
	count(unplanned) > 0
}

verdict contains {
	"effect": "require_approval",
	"reason": sprintf("The plan took the recipient %s from untrusted content.", [concat(", ", array.slice(sort(suspect), 0, 3))]),
	"suggestion": "Ask the user to confirm the recipient.",
	"fields": ["/action/recipients"],
} if {
	count(suspect) > 0
	count(unplanned) == 0
}
